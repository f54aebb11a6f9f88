//! Which version of a crate this was built with.

/// As `Cargo.lock` says.
pub fn version(name: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let package = format!("name = \"{name}\"\nversion = \"");
    let at = lock.find(&package).map_or(lock.len(), |at| at + package.len());
    lock[at..].split('"').next().unwrap_or_default()
}

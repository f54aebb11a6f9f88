//! Gives the shared library its soname and makes it stay once it is loaded.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    match env::var("CARGO_CFG_TARGET_VENDOR").as_deref() {
        Ok("apple") => {
            println!(
                "cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libmqttsession.0.dylib"
            );
        }
        _ if elf() => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libmqttsession.so.0");
            // Our threads run code of this library: a host that unloads it must not unmap it.
            println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
        _ => {}
    }
}

fn elf() -> bool {
    let family = env::var("CARGO_CFG_TARGET_FAMILY").unwrap_or_default();
    family.split(',').any(|name| name == "unix")
}

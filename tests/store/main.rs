//! The store on disk: what it promises, on files that fail as real ones do and on real ones.

mod boundary;
mod damage;
mod failure;
mod look;
mod open;
mod sync;
mod torture;
mod watched;
mod world;

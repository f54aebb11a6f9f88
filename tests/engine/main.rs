//! The session state machine between a program and a scripted peer, with a clock of the test's own.
//!
//! A scenario reads like a trace: what the program does, what the peer sends, and the packets that
//! the engine wrote, one line each (see [`trace`]). Where the issue is a byte, the bytes stand there.

mod abbreviate;
mod acknowledge;
mod alias;
mod announced;
mod aside;
mod auth;
mod connect;
mod disconnect;
mod expiry;
mod grant;
mod hostile;
mod identifier;
mod journal;
mod keep_alive;
mod model;
mod output;
mod packets;
mod pair;
mod publish;
mod queue;
mod receive;
mod receive_crash;
mod receive_seeds;
mod receive_store;
mod recover;
mod request;
mod resume;
mod retired;
mod route;
mod seeds;
mod send_crash;
mod server;
mod set_aside;
mod shelf;
mod store_limit;
mod subscribe;
mod trace;
mod v31;
mod violation;
mod wait;
mod window;

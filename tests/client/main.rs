//! The session handle and its threads, contract by contract, against a scripted broker and against
//! Mosquitto.
//!
//! What must happen is waited for, up to [`DEADLINE`](mqttsession_tests::DEADLINE); what must not is
//! shown by something that comes after it (see [`support`]).

mod abbreviate;
mod acknowledge;
mod answer;
mod aside;
mod authentication;
mod callback;
mod connect;
mod disconnect;
mod dispatch;
mod event;
mod expiry;
mod handler;
mod incoming;
mod inline;
mod limit;
mod misuse;
mod mosquitto;
mod poll;
mod publish;
mod reconnect;
mod redirect;
mod request;
mod run;
mod set_aside;
mod split;
mod store;
mod subscribe;
mod support;
mod tls;
mod violation;

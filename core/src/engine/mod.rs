//! The session state machine: commands, packets and time in; packets and events out.
//!
//! It opens no socket, starts no thread, reads no clock and draws no random number: time is an
//! argument. Whoever drives it (the `client`, or a test with a clock of its own) calls its methods,
//! which are of four kinds, and after any of the middle two takes every output before anything
//! else happens:
//!
//! - *getters* look and change nothing: [`is_online`](Engine::is_online),
//!   [`is_connecting`](Engine::is_connecting), [`is_verifying`](Engine::is_verifying),
//!   [`output_length`](Engine::output_length), [`is_choked`](Engine::is_choked),
//!   [`needed`](Engine::needed), [`counters`](Engine::counters),
//!   [`has_room`](Engine::has_room), [`outstanding`](Engine::outstanding),
//!   [`find`](Engine::find), [`filters`](Engine::filters),
//!   [`poll_timeout`](Engine::poll_timeout), [`has_records`](Engine::has_records),
//!   [`is_stored`](Engine::is_stored);
//! - `handle_*` takes in what comes from outside: [`handle_input`](Engine::handle_input),
//!   [`handle_timeout`](Engine::handle_timeout), [`handle_written`](Engine::handle_written),
//!   [`handle_closed`](Engine::handle_closed), [`handle_stored`](Engine::handle_stored),
//!   [`handle_store_failed`](Engine::handle_store_failed);
//! - *verbs* do what the program wants: [`identify`](Engine::identify),
//!   [`connect`](Engine::connect), [`reauthenticate`](Engine::reauthenticate),
//!   [`authenticate`](Engine::authenticate),
//!   [`give_up_authentication`](Engine::give_up_authentication),
//!   [`publish`](Engine::publish), [`subscribe`](Engine::subscribe),
//!   [`unsubscribe`](Engine::unsubscribe), [`acknowledge`](Engine::acknowledge), [`refuse`](Engine::refuse),
//!   [`watch`](Engine::watch), [`unwatch`](Engine::unwatch), [`flush`](Engine::flush),
//!   [`await_stored`](Engine::await_stored), [`begin_handling`](Engine::begin_handling),
//!   [`abandon`](Engine::abandon), [`leave_in_store`](Engine::leave_in_store),
//!   [`pause`](Engine::pause), [`completions_taken`](Engine::completions_taken),
//!   [`disconnect`](Engine::disconnect), [`cancel_all`](Engine::cancel_all),
//!   [`shrink`](Engine::shrink);
//! - `poll_*` hands over what has to be done next: first [`poll_output`](Engine::poll_output), then
//!   [`poll_ended`](Engine::poll_ended), [`poll_watched`](Engine::poll_watched) and
//!   [`poll_event`](Engine::poll_event) until they are empty, then [`poll_refused`](Engine::poll_refused); last `poll_timeout`.
//!   With a store also [`poll_records`](Engine::poll_records), whenever the disk is ready for more.
//!
//! ```text
//!                connect                CONNACK accepted
//!    Offline ────────────► Connecting ────────────────────► Online
//!       ▲                      │   │                          ▲ │
//!       │                      │   └─► Verifying ─────────────┘ │
//!       │ handle_closed        │           │      authenticate  │
//!       │                      │ refused,  │ given up           │ disconnect, violation,
//!       │                      ▼ violation ▼                    ▼ ping unanswered
//!       └─────────────────── Ending ◄───────────────────────────┘
//! ```
//!
//! With an authentication method CONNACK leads to `Verifying`: the program checks the broker's last
//! data first, as a broker that cannot prove who it is must not get a message. The input behind
//! CONNACK waits until then.
//!
//! In `Ending` the output still holds what has to be said (DISCONNECT with its reason); nothing is
//! accepted from the network any more.

mod agreement;
mod alias;
mod authentication;
mod completion;
mod encoded;
mod event;
mod flight;
mod handshake;
mod incoming;
mod journal;
mod kept;
mod ledger;
mod lifetime;
mod machine;
mod narrow;
mod outbox;
mod outgoing;
mod outgoing_alias;
mod output;
mod packet_id;
mod publication;
mod queue;
mod recent;
mod record;
mod recovered;
mod refusal;
mod request;
mod router;
mod server;
mod settings;
mod subscriptions;
mod suspicion;
mod timer;

pub use authentication::{AuthenticationStep, Credentials, Identity};
pub use completion::Completion;
pub use event::{
    Connected, Counters, Delivered, Delivery, Ended, Event, Failed, Granted, Inbound, Outcome,
    Said, SessionLoss, SetAside, Ticket, Unsubscribed, Watched,
};
pub use incoming::Receipt;
pub use journal::WallClock;
pub use lifetime::Lifetime;
pub use machine::Engine;
pub use output::{LARGE_PAYLOAD, Output};
pub use publication::{Payload, Publication};
pub use queue::{QueueLimit, QueuePolicy};
pub use record::{Expiry, Record, UnixMillis, Unreadable};
pub use recovered::{Grant, Receiving, Recovered, RecoveredMessage};
pub use refusal::Refused;
pub use router::{Match, Route, RouteId};
pub use settings::{Settings, Will};

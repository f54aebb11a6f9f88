//! Who waits for whom, and who may let go of what: what a session owes its callbacks when things
//! meet at the worst moment.

mod acknowledge;
mod ending;
mod inline;
mod lent;
mod meeting;
mod question;
mod store;
mod support;

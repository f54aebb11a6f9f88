//! Request and response between two sessions.

use std::sync::Arc;

use mqttsession::{
    client::{Message, RequestOptions, Responder, Response},
    protocol::QoS,
};
use mqttsession_tests::DEADLINE;

use crate::bench::*;

/// Answers with what it was asked.
struct Echo;

impl Responder for Echo {
    fn respond(&self, request: &Message<'_>) -> mqttsession::error::Result<Option<Response>> {
        Ok(Some(Response { payload: request.payload().to_vec().into(), ..Response::default() }))
    }
}

/// Every request gets the answer to itself, with all of them under way at once.
pub(super) fn answered(bench: &Bench<'_>) -> Result {
    const REQUESTS: usize = 200;

    let (asking, answering) = (bench.session("q")?, bench.session("a")?);
    let topic = bench.topic("ask");
    ended(answering.respond(&topic, at(QoS::AtLeastOnce), Arc::new(Echo))).at("respond")?;
    let mut answers = Vec::new();
    for number in 0..REQUESTS {
        let options = RequestOptions { timeout: DEADLINE, ..RequestOptions::default() };
        answers.push(asking.request(&topic, number.to_string().as_bytes().into(), options)?);
    }
    for (number, answer) in answers.into_iter().enumerate() {
        let answer = ended(Ok(answer)).at(&format!("request {number}"))?;
        demand(text(&answer) == number.to_string(), || {
            format!("{:?} came as the answer to {number}", text(&answer))
        })?;
    }
    Ok(())
}

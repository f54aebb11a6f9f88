//! What time brings: pings and their answers, expired messages, acknowledgements that stand still.

use std::time::{Duration, Instant};

use super::Engine;
use crate::{
    engine::{Event, Output, timer::Timer},
    error::{Code, Result},
    protocol::{Properties, ReasonCode, encode_pingreq},
};

/// The longest wait for the answer to a ping. Shorter than most keep-alive times, because an answer
/// that has not come by then will not come.
const PING_ANSWER: Duration = Duration::from_secs(20);

/// How long acknowledgements stand still before that is reported: a handler that takes longer is
/// slow, or forgot to acknowledge.
pub(super) const STANDSTILL: Duration = Duration::from_secs(10);

impl Engine {
    /// Reading has been paused or resumed. While it is paused an answer to a ping may lie unread, so
    /// its deadline stands still.
    pub fn pause(&mut self, paused: bool, now: Instant) {
        self.paused = paused;
        if !paused && self.timers.is_set(Timer::PingAnswer) {
            self.expect_ping_answer(now);
        }
    }

    /// A deadline has come. Messages expire in every phase. The keep-alive runs from the last packet
    /// sent (so much the protocol asks for) and also from the last byte received: a session that only
    /// publishes at QoS 0 would never learn that nobody listens.
    ///
    /// # Errors
    /// `KEEP_ALIVE_TIMEOUT`: the connection is dead and has to be closed.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<()> {
        self.outgoing.expire(now, &mut self.journal);
        // What waited behind them may leave.
        self.pump(now);
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::KeepAlive => {
                    let due = self.keep_alive_deadline(now);
                    if due > now {
                        self.timers.set(Timer::KeepAlive, due);
                        continue;
                    }
                    self.timers.set(Timer::KeepAlive, now + self.keep_alive);
                    if !self.ping_waits {
                        self.ping_ahead();
                    }
                    self.shrink();
                }
                Timer::Standstill => {
                    let (incoming, ..) = self.incoming();
                    let (held, is_waiting) = (incoming.look_at_order(), incoming.is_waiting());
                    self.events.extend(held.map(Event::AcknowledgementHeld));
                    if is_waiting {
                        self.timers.set(Timer::Standstill, now + STANDSTILL);
                    }
                }
                Timer::PingAnswer if self.paused => self.expect_ping_answer(now),
                Timer::PingAnswer => {
                    self.end_connection();
                    // "Keep Alive timeout" is for the server to say (table 3-10).
                    self.say_disconnect(ReasonCode::UnspecifiedError, Properties::EMPTY);
                    return Err(Code::KeepAliveTimeout.into());
                }
            }
        }
        Ok(())
    }

    /// Asks whether the broker lives, in the order of what is sent.
    pub(super) fn ping(&mut self) {
        encode_ping(&mut self.output.open);
        self.ping_waits = true;
    }

    /// Shows the broker that this side lives. What waits for the store must not keep that from it, or a
    /// full disk would cost one connection after another.
    fn ping_ahead(&mut self) {
        self.output.overtaking(encode_ping, &self.journal);
        self.ping_waits = true;
    }

    pub(super) fn expect_ping_answer(&mut self, now: Instant) {
        let wait = match self.keep_alive.is_zero() {
            true => PING_ANSWER,
            false => PING_ANSWER.min(self.keep_alive),
        };
        self.timers.set(Timer::PingAnswer, now + wait);
    }

    fn keep_alive_deadline(&self, now: Instant) -> Instant {
        let quiet_since = self.last_sent.min(self.last_received).unwrap_or(now);
        quiet_since + self.keep_alive
    }
}

fn encode_ping(output: &mut Output) {
    encode_pingreq(output.buffer());
    output.holds_ping = true;
}

//! What a seed decides before the run begins.

use std::sync::Arc;

use mqttsession::{
    engine::{QueueLimit, QueuePolicy, Settings},
    protocol::{Property, Version},
    store::DiskOptions,
};

use crate::broker::Habits;
use mqttsession_tests::random::Random;

/// When what was written is synced; the client's setting of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    Message,
    Interval,
    System,
}

/// When a received message is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledging {
    Handled,
    OnReceipt,
    /// Some time after its handler has returned.
    Later,
}

/// A session and the program that uses it.
#[derive(Clone, Debug)]
pub(crate) struct SessionPlan {
    pub(crate) client_id: String,
    pub(crate) settings: Arc<Settings>,
    pub(crate) durability: Durability,
    pub(crate) acknowledging: Acknowledging,
    pub(crate) disk: DiskOptions,
    /// How much it publishes: of ten chances it takes so many.
    pub(crate) publishes: u64,
    /// Filter and QoS.
    pub(crate) filters: Vec<(&'static str, u8)>,
}

/// How often what goes wrong: once in so many steps, 0 being never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hazards {
    pub(crate) cut: u64,
    pub(crate) kill: u64,
    pub(crate) kill_writing: u64,
    pub(crate) power: u64,
    pub(crate) disk: u64,
    pub(crate) broker: u64,
    pub(crate) session: u64,
    pub(crate) close: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) sessions: Vec<SessionPlan>,
    pub(crate) habits: Habits,
    pub(crate) hazards: Hazards,
    pub(crate) steps: u64,
}

pub(crate) const TOPICS: [&str; 3] = ["a", "b", "topic/c"];

impl Plan {
    pub(crate) fn new(random: &mut Random) -> Self {
        let sessions = (0..1 + random.below(3)).map(|index| session(index, random)).collect();
        // Each hazard is absent from some runs, so that the others are met for themselves.
        let mut often = |of: &[u64]| of[random.below(of.len() as u64) as usize];
        let hazards = Hazards {
            cut: often(&[0, 25, 50, 100]),
            kill: often(&[0, 0, 80, 160]),
            kill_writing: often(&[0, 60, 120]),
            power: often(&[0, 0, 120, 240]),
            disk: often(&[0, 0, 100]),
            broker: often(&[0, 0, 150, 300]),
            session: often(&[0, 0, 0, 200]),
            close: often(&[0, 0, 200]),
        };
        let habits = Habits {
            routes_on_release: often(&[0, 1]) == 1,
            shuffles_answers: often(&[0, 0, 0, 1]) == 1,
            rotates_ids: often(&[0, 1]) == 1,
            window: often(&[1, 3, 20]) as u16,
            receive_maximum: often(&[1, 2, 5, 65_535]) as u16,
            topic_aliases: often(&[0, 2]) as u16,
            stingy: often(&[0, 0, 0, 4]),
            refuses: often(&[0, 0, 0, 20]),
        };
        Self { sessions, habits, hazards, steps: 100 + random.below(500) }
    }
}

fn session(index: u64, random: &mut Random) -> SessionPlan {
    let version = if random.one_in(2) { Version::V311 } else { Version::V5 };
    let mut often = |of: &[u64]| of[random.below(of.len() as u64) as usize];
    let durability = match often(&[0, 0, 0, 1, 2]) {
        0 => Durability::Message,
        1 => Durability::Interval,
        _ => Durability::System,
    };
    let acknowledging = match often(&[0, 0, 1, 2]) {
        0 => Acknowledging::Handled,
        1 => Acknowledging::OnReceipt,
        _ => Acknowledging::Later,
    };
    let policy = match often(&[0, 1, 2, 3]) {
        0 => QueuePolicy::Reject,
        1 => QueuePolicy::DropNewest,
        2 => QueuePolicy::DropOldest,
        _ => QueuePolicy::KeepLatest,
    };
    let mut settings = Settings {
        version,
        clean_session: often(&[0, 0, 0, 0, 0, 0, 0, 1]) == 1,
        keep_alive: often(&[0, 30]) as u16,
        receive_maximum: often(&[1, 4, 65_535]) as u16,
        in_flight_limit: often(&[1, 3, 10]) as u16,
        exactly_once_limit: often(&[1, 2, 20]) as u16,
        queue: QueueLimit {
            messages: often(&[4, 12, 1000]) as usize,
            bytes: often(&[400, 1 << 20]) as usize,
            policy,
        },
        store_limit: (often(&[3, 1000]) as usize, often(&[600, 1 << 20]) as usize),
        topic_alias_limit: often(&[0, 2]) as u16,
        set_aside_after: often(&[0, 10, 2]) as u32,
        acknowledge_on_receipt: acknowledging == Acknowledging::OnReceipt,
        end_on_session_loss: often(&[0, 0, 0, 1]) == 1,
        ..Settings::default()
    };
    if version.is_v5() {
        let expiry = if settings.clean_session { 0 } else { 1_000_000 };
        let expiry = Property::SessionExpiryInterval(expiry);
        settings.properties.push(expiry).expect("a first property");
    }
    let mut filters = Vec::new();
    for (filter, one_in) in [("a", 2), ("b", 3), ("topic/c", 3), ("#", 4)] {
        if random.one_in(one_in) {
            filters.push((filter, [1, 2, 2][random.below(3) as usize]));
        }
    }
    SessionPlan {
        client_id: format!("s{index}"),
        settings: Arc::new(settings),
        durability,
        acknowledging,
        disk: DiskOptions { log_bytes: [300, 1000, 4000, 1 << 20][random.below(4) as usize] },
        publishes: [2, 5, 10][random.below(3) as usize],
        filters,
    }
}

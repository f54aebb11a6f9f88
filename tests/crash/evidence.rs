//! What the tap saw: the story of a number, and what the broker did wrong.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write,
};

use mqttsession_tests::{
    seen::Seen,
    tap::{Passed, Side},
};

use crate::client::number;

/// The numbers that the broker sent again after it had sent their PUBREL, against [MQTT-4.3.3-1]. To the
/// session such a message is a new one: its exchange may have ended, and its id is free.
pub(crate) fn sent_after_release(passed: &[Passed]) -> BTreeSet<u64> {
    let mut open: HashMap<u16, u64> = HashMap::new();
    let (mut released, mut wrong) = (BTreeSet::<u64>::new(), BTreeSet::new());
    for packet in passed.iter().filter(|packet| packet.from == Side::Broker) {
        match &packet.seen {
            Seen::Publish(publish) => {
                let number = number(&publish.payload);
                open.insert(publish.id, number);
                if released.contains(&number) {
                    wrong.insert(number);
                }
            }
            Seen::Pubrel(pubrel) => released.extend(open.get(&pubrel.id)),
            _ => {}
        }
    }
    wrong
}

/// The numbers that the broker sent in more than one exchange: as new, under whatever id.
pub(crate) fn sent_as_new_again(passed: &[Passed]) -> BTreeSet<u64> {
    let mut open: HashMap<u16, u64> = HashMap::new();
    let (mut begun, mut again) = (BTreeSet::new(), BTreeSet::new());
    for packet in passed.iter().filter(|packet| packet.from == Side::Broker) {
        match &packet.seen {
            Seen::Publish(publish) => {
                let number = number(&publish.payload);
                let goes_on = open.insert(publish.id, number) == Some(number);
                if !goes_on && !begun.insert(number) {
                    again.insert(number);
                }
            }
            Seen::Pubrel(pubrel) => drop(open.remove(&pubrel.id)),
            _ => {}
        }
    }
    again
}

/// The packets that are about a number, a line each, whichever side sent it first.
pub(crate) fn story(passed: &[Passed], wanted: u64) -> String {
    // Each side has packet ids of its own: whose they are, and whether the broker's.
    let mut open: HashMap<(bool, u16), u64> = HashMap::new();
    let mut text = String::new();
    let mut connection = 0;
    for Passed { from, seen } in passed {
        let broker = *from == Side::Broker;
        let about = match seen {
            Seen::Connect(_) => {
                connection += 1;
                false
            }
            Seen::Publish(publish) => {
                let number = number(&publish.payload);
                open.insert((broker, publish.id), number);
                number == wanted
            }
            Seen::Pubrel(packet) => open.get(&(broker, packet.id)) == Some(&wanted),
            Seen::Pubrec(packet) | Seen::Pubcomp(packet) => {
                open.get(&(!broker, packet.id)) == Some(&wanted)
            }
            _ => false,
        };
        if about {
            let _ = writeln!(text, "    connection {connection}, {from:?}: {seen:?}");
        }
    }
    text
}

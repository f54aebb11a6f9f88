//! A process dies, and the next one goes on with what its store has: own messages.

use std::time::Duration;

use mqttsession::{
    engine::{
        Completion, Engine, Lifetime, Publication, QueuePolicy, Record, Recovered, Settings,
        WallClock,
    },
    error::Code,
    protocol::{Property, PropertyBlock, Version},
};

use crate::{
    packets::{connack, message2, properties, puback, pubcomp, pubrec},
    pair::{Pair, VERSIONS, limit, message},
    set_aside::closed,
    shelf::Shelved,
};

const NOTHING: [&str; 0] = [];

fn online(version: Version) -> Shelved {
    Shelved::new(version).connected()
}

/// In flight: 1 of QoS 1, 2 of QoS 2, 4 and 3 of QoS 2 released in this order. 5 and 6 wait.
fn interrupted(version: Version) -> Shelved {
    let mut session = Shelved::with(version, |settings| settings.in_flight_limit = 4).connected();
    for (qos, payload) in [(1, "1"), (2, "2"), (2, "3"), (2, "4"), (1, "5"), (2, "6")] {
        session.publish(qos, "a", payload);
    }
    session.store();
    session.sent();
    session.receive(pubrec(4));
    session.receive(pubrec(3));
    session.store();
    assert_eq!(session.sent(), ["PUBREL #4", "PUBREL #3"]);
    session
}

#[test]
fn a_resumed_session_goes_on_as_after_a_lost_connection() {
    for version in VERSIONS {
        let mut session = interrupted(version).crash();
        assert_eq!(session.go_online(true), NOTHING, "a new id of QoS 2 is not on record yet");
        assert_eq!(session.store(), ["launched 5 as 5", "launched 6 as 6"]);
        let dup = if version == Version::V31 { "dup " } else { "" };
        let mut expected = [4, 3].map(|number| format!("PUBREL {dup}#{number}")).to_vec();
        expected.extend(["PUBLISH dup q1 #1 a=1", "PUBLISH dup q2 #2 a=2"].map(String::from));
        let news = ["PUBLISH q1 #5 a=5", "PUBLISH q2 #6 a=6"].map(String::from);
        assert_eq!(session.sent(), [&expected[..], &news].concat(), "{version:?}");
        expected.extend(news.map(|line| line.replace("PUBLISH", "PUBLISH dup")));
        for _ in 0..2 {
            session = session.crash();
            assert_eq!(session.go_online(true), expected, "{version:?}");
            assert!(!session.engine.has_records());
            assert_eq!(session.reconnect(true), expected);
        }
        for packet in [puback(1), pubrec(2), pubcomp(4), pubcomp(3), puback(5), pubrec(6)] {
            session.receive(packet);
        }
        session.store();
        assert_eq!(session.sent(), ["PUBREL #2", "PUBREL #6"]);
        [pubcomp(2), pubcomp(6)].into_iter().for_each(|packet| drop(session.receive(packet)));
        session.store();
        assert!(session.stored().messages.is_empty());
        assert_eq!(session.engine.outstanding(true), 0);
        let mut session = session.crash();
        assert_eq!(session.go_online(true), NOTHING);
    }
}

#[test]
fn without_the_brokers_session_contract_12_holds() {
    for version in [Version::V311, Version::V5] {
        let mut session = interrupted(version).crash();
        assert_eq!(session.go_online(false), NOTHING, "the loss has to be on record first");
        assert_eq!(
            session.events(),
            ["connected", "session lost: 2 renewed, 2 unknown, 0 forgotten"]
        );
        let records = session.store();
        assert_eq!(records[..3], ["session lost", "ended 3", "ended 4"]);
        let sent = session.sent();
        let ids = sent.iter().map(|line| line.split(' ').nth(2).expect("an id").to_owned());
        assert_eq!(ids.collect::<Vec<_>>(), ["#1", "#2", "#3", "#4"]);
        let payloads = sent.iter().map(|line| line.chars().last().expect("a payload"));
        assert_eq!(payloads.collect::<String>(), "1256", "in their order, none as a repetition");
        assert!(sent.iter().all(|line| !line.contains("dup")));
        assert_eq!(session.outcome(3).as_deref(), Some("SESSION_LOST"));
        // And after another crash it is the new session that goes on.
        let mut session = session.crash();
        let again: Vec<_> =
            sent.iter().map(|line| line.replace("PUBLISH", "PUBLISH dup")).collect();
        assert_eq!(session.go_online(true), again);
    }
}

#[test]
fn an_option_ends_what_was_in_flight_with_the_session() {
    let session = interrupted(Version::V5);
    let mut session = session.crash_to(|settings| settings.end_on_session_loss = true);
    session.go_online(false);
    assert_eq!(session.events(), ["connected", "session lost: 0 renewed, 4 unknown, 0 forgotten"]);
    session.store();
    assert_eq!(session.sent(), ["PUBLISH q1 #1 a=5", "PUBLISH q2 #2 a=6"]);
}

#[test]
fn a_clean_session_keeps_the_messages() {
    for version in VERSIONS {
        let mut session = interrupted(version).crash_to(|settings| settings.clean_session = true);
        session.go_online(false);
        session.store();
        let payloads =
            session.sent().iter().map(|line| line.chars().last().unwrap()).collect::<String>();
        assert_eq!(payloads, "1256", "{version:?}");
    }
}

#[test]
fn what_had_not_been_stored_was_not_sent_either() {
    for version in VERSIONS {
        let mut session = online(version);
        session.publish(2, "a", "1");
        session.store();
        session.publish(2, "a", "2");
        session.write();
        assert_eq!(session.sent(), ["PUBLISH q2 #1 a=1"]);
        session.receive(pubrec(1));
        let mut session = session.crash();
        assert_eq!(session.go_online(true), ["PUBLISH dup q2 #1 a=1"]);
    }
}

#[test]
fn a_message_of_qos_1_whose_id_is_not_on_record_is_sent_as_new() {
    for version in VERSIONS {
        let mut session = Shelved::new(version);
        session.publish(1, "a", "x");
        session.store();
        assert_eq!(session.go_online(false), ["PUBLISH q1 #1 a=x"]);
        let mut session = session.crash();
        assert_eq!(session.go_online(true), ["PUBLISH q1 #1 a=x"]);
        assert_eq!(session.store(), ["launched 1 as 1"]);
    }
}

#[test]
fn an_id_of_the_last_process_is_not_given_again() {
    for version in VERSIONS {
        let mut session = interrupted(version).crash();
        session.go_online(true);
        session.store();
        let sent = session.sent();
        assert_eq!(sent[4..], ["PUBLISH q1 #5 a=5", "PUBLISH q2 #6 a=6"]);
        session.subscribe(&["f:1"]);
        assert_eq!(session.sent(), [session.identified("SUBSCRIBE #7 f:1", 1)]);
    }
}

// ---- numbers

#[test]
fn numbers_go_on_and_only_those_that_have_not_ended_are_known() {
    for version in VERSIONS {
        let mut session = online(version);
        let [ended, pending] = ["1", "2"].map(|payload| session.publish(1, "a", payload));
        session.store();
        session.sent();
        session.receive(puback(1));
        session.store();
        let mut session = session.crash();
        assert_eq!(session.outcome(ended).as_deref(), Some("UNKNOWN_MESSAGE"));
        assert_eq!(session.outcome(pending), None);
        assert_eq!(session.outcome(3).as_deref(), Some("UNKNOWN_MESSAGE"), "not given yet");
        let mut watcher: Option<Completion> = Some(Completion::new(|_, _| {}));
        assert!(session.engine.watch(pending, 1, &mut watcher).is_none());
        session.engine.await_stored(pending, 2).unwrap();
        assert_eq!(session.events(), ["stored 2"]);
        let flush = session.flush();
        assert_eq!(session.events(), NOTHING);
        assert_eq!(session.engine.counters().published, 0);
        assert_eq!(session.publish(1, "a", "3"), 3);
        assert_eq!(session.engine.counters().published, 1);
        session.go_online(true);
        assert_eq!(session.store(), ["message 3", "launched 3 as 1"]);
        session.sent();
        session.receive(puback(2));
        assert_eq!(session.ended(), ["2: ok"]);
        assert_eq!(session.events()[1..], [format!("flushed {flush}")]);
        assert_eq!(session.outcome(pending).as_deref(), Some("ok"));
    }
}

// ---- limits

#[test]
fn the_limits_refuse_nothing_that_was_accepted() {
    for policy in [QueuePolicy::Reject, QueuePolicy::DropOldest] {
        let mut session = Shelved::new(Version::V311);
        for _ in 0..5 {
            session.publish(1, "a", "x");
        }
        session.store();
        let mut session = session.crash_to(|settings| {
            settings.queue = limit(3, 10, policy);
            settings.store_limit = (2, 10);
        });
        assert_eq!(session.engine.counters().outgoing_messages, 5);
        assert_eq!(session.ended(), NOTHING);
        let refused = session.try_publish(message(1, "a", "x")).is_err();
        assert_eq!(refused, policy == QueuePolicy::Reject);
    }
}

#[test]
fn of_what_was_recovered_the_latest_is_kept_too() {
    let keep = |settings: &mut Settings| settings.queue.policy = QueuePolicy::KeepLatest;
    let mut session = Shelved::with(Version::V311, keep);
    session.publish(1, "a", "1");
    session.publish(1, "b", "2");
    session.store();
    let mut session = session.crash();
    session.publish(1, "a", "3");
    session.store();
    assert_eq!(session.ended(), NOTHING, "nobody asked in this process");
    assert_eq!(session.outcome(1).as_deref(), Some("DROPPED"));
    let mut session = session.crash();
    assert_eq!(session.go_online(true), ["PUBLISH q1 #1 b=2", "PUBLISH q1 #2 a=3"]);
}

#[test]
fn before_5_0_so_many_of_qos_2_are_in_flight_as_ever() {
    let mut session =
        Shelved::with(Version::V311, |settings| settings.exactly_once_limit = 2).connected();
    for _ in 0..3 {
        session.publish(2, "a", "x");
    }
    session.store();
    assert_eq!(session.sent().len(), 2);
    session.receive(pubrec(1));
    session.store();
    let mut session = session.crash();
    assert_eq!(session.go_online(true), ["PUBREL #1", "PUBLISH dup q2 #2 a=x"]);
    session.receive(pubcomp(1));
    session.store();
    assert_eq!(session.sent(), ["PUBLISH q2 #1 a=x"]);
}

// ---- another version

#[test]
fn properties_do_not_survive_a_version_without_them() {
    let given = properties(&[Property::ContentType("text"), Property::UserProperty("k", "v")]);
    let mut session = online(Version::V5);
    for qos in [1, 2] {
        let publication = Publication {
            properties: given.as_properties(),
            retain: true,
            ..message(qos, "topic", "x")
        };
        session.try_publish(publication).unwrap();
    }
    session.store();
    let block = " [ContentType(\"text\"), UserProperty(\"k\", \"v\")]";
    let lines =
        |block: &str| [1, 2].map(|n| format!("PUBLISH dup q{n} #{n} retain topic=x{block}"));
    let mut session = session.crash();
    assert_eq!(session.go_online(true), lines(block));
    for version in [Version::V31, Version::V311] {
        session = session.crash_to(|settings| {
            settings.version = version;
            settings.properties = PropertyBlock::new();
        });
        assert_eq!(session.go_online(true), lines(""), "{version:?}");
    }
    // The record is still the first one.
    let mut session = session.crash_to(|settings| settings.version = Version::V5);
    assert_eq!(session.go_online(true), lines(block));
}

#[test]
fn a_message_of_3_1_1_goes_on_under_5_0() {
    let mut session = online(Version::V311);
    session.publish(1, "topic", "x");
    session.publish(1, "topic", &"x".repeat(20_000));
    session.store();
    let mut session = session.crash_to(|settings| settings.version = Version::V5);
    let sent = session.go_online(true);
    assert_eq!(sent, ["PUBLISH dup q1 #1 topic=x", "PUBLISH dup q1 #2 topic=<20000>"]);
}

#[test]
fn a_record_that_is_no_message_is_an_error_and_not_skipped() {
    let version = Version::V311;
    let whole = b"\x32\x06\x00\x01t\x00\x01p";
    let legal = |packet: &[u8]| {
        let mut recovered = Recovered::default();
        let expiry = Default::default();
        recovered.apply(&Record::Message { number: 1, version, expiry, packet }, 0);
        let clock = WallClock { instant: std::time::Instant::now(), unix: 0 };
        let settings = Settings::default();
        Engine::with_store(settings.into(), "me".into(), false, recovered, clock).map(drop)
    };
    legal(whole).unwrap();
    let damaged: [&[u8]; 5] = [
        b"",
        &whole[..7],
        b"\x30\x04\x00\x01tp",
        b"\x32\x06\x00\x01#\x00\x01p",
        b"\x40\x02\x00\x01",
    ];
    for packet in damaged {
        assert_eq!(legal(packet).unwrap_err().code(), Code::StoreCorrupt, "{packet:?}");
    }
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(legal(&longer).unwrap_err().code(), Code::StoreCorrupt);
}

// ---- time

fn publish_for(pair: &mut Pair, seconds: Option<u64>, of: &PropertyBlock) {
    let time_to_live = seconds.map(Duration::from_secs);
    let lifetime = Lifetime { since: pair.now, now: pair.now, time_to_live };
    let (properties, lifetime) = (of.as_properties(), Some(lifetime));
    let publication = Publication { properties, lifetime, ..message(1, "topic", "x") };
    pair.try_publish(publication).expect("the message is accepted");
}

#[test]
fn time_runs_on_while_there_is_no_process() {
    for version in VERSIONS {
        let mut session = Shelved::new(version);
        publish_for(&mut session, Some(100), &PropertyBlock::new());
        publish_for(&mut session, Some(30), &PropertyBlock::new());
        session.store();
        let mut session = session.crash_for(40);
        let now = session.now;
        session.engine.handle_timeout(now).unwrap();
        assert_eq!(session.outcome(2).as_deref(), Some("EXPIRED"));
        assert_eq!(session.store(), ["ended 2"]);
        assert_eq!(session.due(), Some(60));
        session.timeout().unwrap();
        assert_eq!(session.outcome(1).as_deref(), Some("EXPIRED"));
    }
}

#[test]
fn the_remaining_interval_is_what_both_processes_left_of_it() {
    let interval = properties(&[
        Property::ContentType("t"),
        Property::MessageExpiryInterval(100),
        Property::UserProperty("k", "v"),
    ]);
    for payload in ["x".to_owned(), "x".repeat(20_000)] {
        let mut session = Shelved::new(Version::V5);
        let lifetime = Lifetime { since: session.now, now: session.now, time_to_live: None };
        let publication = Publication {
            properties: interval.as_properties(),
            lifetime: Some(lifetime),
            ..message(1, "topic", &payload)
        };
        session.try_publish(publication).unwrap();
        session.store();
        let session = session.crash_for(30);
        let mut session = session.crash_for(10);
        session.elapse(5);
        let sent = session.go_online(true);
        assert!(sent[0].contains("MessageExpiryInterval(55)"), "{sent:?}");
        session.store();
        // Sent once it is not given up any more, and the interval still counts.
        let mut session = session.crash_for(200);
        assert_eq!(session.due(), None);
        let sent = session.go_online(true);
        assert!(sent[0].starts_with("PUBLISH dup") && sent[0].contains("MessageExpiryInterval(1)"));
    }
}

#[test]
fn an_interval_that_goes_with_the_version_still_ends_the_wait() {
    let interval = properties(&[Property::MessageExpiryInterval(100)]);
    let mut session = Shelved::new(Version::V5);
    publish_for(&mut session, None, &interval);
    session.store();
    let mut session = session.crash_to(|settings| {
        settings.version = Version::V311;
        settings.properties = PropertyBlock::new();
    });
    assert_eq!(session.due(), Some(100));
    session.timeout().unwrap();
    assert_eq!(session.outcome(1).as_deref(), Some("EXPIRED"));
}

// ---- what cannot be sent

#[test]
fn a_message_that_ends_connection_after_connection_is_set_aside_as_ever() {
    for version in VERSIONS {
        let mut session =
            Shelved::with(version, |settings| settings.set_aside_after = 2).connected();
        session.publish(2, "a", "deadly");
        session.store();
        session.sent();
        let mut session = session.crash();
        for expected in [NOTHING.as_slice(), &["1: SET_ASIDE"]] {
            assert_eq!(session.outcome(1), None);
            session.connect(true);
            session.sent();
            session.receive(connack(version != Version::V31));
            session.receive(mqttsession::protocol::Packet::Pingresp);
            session.sent();
            session.kicked(&closed());
            assert_eq!(session.outcome(1).is_some(), !expected.is_empty());
        }
        assert_eq!(session.outcome(1).as_deref(), Some("SET_ASIDE"));
        assert_eq!(session.store(), ["retired 1", "ended 1"]);
    }
}

#[test]
fn received_ids_that_end_with_the_session_are_told() {
    for version in [Version::V311, Version::V5] {
        let mut session = online(version);
        session.granted("a:2");
        let message = session.deliver(message2(7, "a", "x")).remove(0);
        session.store();
        session.begin(&message);
        session.handled(&message);
        session.store();
        let mut session = session.crash();
        session.go_online(false);
        assert_eq!(session.events()[1], "session lost: 0 renewed, 0 unknown, 1 forgotten");
        assert_eq!(session.store()[0], "session lost");
    }
}

#[test]
fn a_message_of_which_a_repair_has_lost_that_it_was_sent_is_found_like_all_others() {
    for (version, resumed) in VERSIONS.into_iter().flat_map(|v| [(v, true), (v, false)]) {
        let mut session = online(version);
        for payload in ["1", "2", "3"] {
            session.publish(2, "a", payload);
        }
        session.store();
        session.sent();
        let mut session = session.crash_and(|stored| {
            stored.messages.get_mut(&2).unwrap().packet_id = None;
        });
        session.go_online(resumed);
        session.store();
        session.sent();
        for number in 1..=3 {
            assert_eq!(session.outcome(number), None, "{version:?} {resumed}: message {number}");
        }
        let ids = if resumed || version == Version::V31 { [1, 3, 2] } else { [1, 2, 3] };
        for id in ids {
            session.receive(pubrec(id));
            session.store();
            session.receive(pubcomp(id));
        }
        session.ended();
        assert_eq!(session.engine.outstanding(true), 0, "{version:?} {resumed}");
    }
}

#[test]
fn messages_that_come_back_stand_behind_an_older_one_that_a_repair_has_made_new() {
    let mut session =
        Shelved::with(Version::V5, |settings| settings.in_flight_limit = 1).connected();
    session.publish(2, "a", "1");
    session.publish(2, "a", "2");
    session.store();
    let mut session = session.crash_and(|stored| {
        let sent = stored.messages.get_mut(&1).unwrap().packet_id.take();
        stored.messages.get_mut(&2).unwrap().packet_id = sent;
    });
    session.go_online(false);
    assert_eq!(session.outcome(1), None);
    assert_eq!(session.outcome(2), None);
    session.store();
    assert_eq!(session.sent(), ["PUBLISH q2 #1 a=1"]);
}

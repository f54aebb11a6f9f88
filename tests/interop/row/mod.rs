//! The rows of the matrix: one function each, in one table.

mod alias;
mod connect;
mod flow;
mod limit;
mod load;
mod outage;
mod property;
mod publish;
mod refuse;
mod request;
mod retain;
mod session;
mod subscribe;
mod will;

use mqttsession::protocol::Version;

use crate::bench::{Bench, Result};

/// A row.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Whether it is about something that exists in 5.0 only.
    pub(crate) only_v5: bool,
    pub(crate) run: fn(&Bench<'_>) -> Result,
}

impl Row {
    pub(crate) fn exists_in(&self, version: Version) -> bool {
        version.is_v5() || !self.only_v5
    }
}

const fn all(name: &'static str, run: fn(&Bench<'_>) -> Result) -> Row {
    Row { name, only_v5: false, run }
}

const fn v5(name: &'static str, run: fn(&Bench<'_>) -> Result) -> Row {
    Row { name, only_v5: true, run }
}

/// In the order of the matrix.
pub(crate) const ROWS: &[Row] = &[
    all("connect, disconnect, connect again", connect::again),
    all("client id left to be chosen", connect::chosen_client_id),
    all("wrong password refused", connect::wrong_password),
    all("keep-alive pings answered", connect::ping),
    all("taken over by the same client id", connect::taken_over),
    all("QoS 0 there and back", publish::at_most_once),
    all("QoS 1 there and back", publish::at_least_once),
    all("QoS 2 there and back", publish::exactly_once),
    all("payload of 200 kB", publish::large),
    all("wildcards", subscribe::wildcards),
    all("several filters, lower QoS granted", subscribe::several),
    all("overlapping subscriptions", subscribe::overlapping),
    all("$share", subscribe::shared),
    all("unsubscribe", subscribe::unsubscribe),
    all("unsubscribe several at once", subscribe::unsubscribe_several),
    all("retained set, received, cleared", retain::set_and_cleared),
    all("will after an abnormal end", will::abnormal_end),
    all("no will after a disconnect", will::disconnect),
    all("queued for a persistent session", session::queued),
    all("clean session forgets", session::clean),
    all("10,000 of QoS 1 in order", load::in_order),
    all("QoS 1, PUBACK lost", load::puback_lost),
    all("QoS 2, PUBREC lost", load::pubrec_lost),
    all("QoS 2, PUBCOMP lost", load::pubcomp_lost),
    all("QoS 2 exactly once, publisher cut", load::publisher_cut),
    all("QoS 2 exactly once, subscriber cut", load::subscriber_cut),
    all("the same, cut again at once", load::subscriber_cut_again),
    all("message expiry in the own queue", outage::expired),
    all("set aside what the broker hangs up on", outage::set_aside),
    v5("publish properties carried", property::carried),
    v5("message expiry passed on", property::expiry_carried),
    v5("expired message not sent", property::expired),
    v5("will with properties", will::properties),
    v5("will at the session's end before its delay", will::delay),
    v5("DISCONNECT that asks for the will", will::disconnect_with_will),
    v5("No Local", subscribe::no_local),
    v5("Retain As Published", retain::as_published),
    v5("Retain Handling", retain::handling),
    v5("subscription identifiers", subscribe::identifiers),
    v5("overlapping filters, each handler once", subscribe::once_each),
    v5("$share beside them, each handler once", subscribe::once_each_beside_shared),
    v5("topic alias given by the program", alias::given_by_the_program),
    v5("topic aliases by the session itself", alias::by_itself),
    v5("topic alias from the broker", alias::from_the_broker),
    v5("200 requests at once answered", request::answered),
    v5("refused, QoS 1", refuse::at_least_once),
    v5("refused, QoS 2", refuse::exactly_once),
    v5("session expiry", session::expiry),
    v5("assigned client id", connect::assigned_client_id),
    v5("server keep alive", limit::server_keep_alive),
    v5("our receive maximum, QoS 1", flow::ours_at_least_once),
    v5("our receive maximum, QoS 2", flow::ours_exactly_once),
    v5("the broker's receive maximum", flow::theirs),
    v5("our maximum packet size", limit::our_packet_size),
    v5("the broker's maximum packet size", limit::packet_size),
    v5("the broker's maximum QoS", limit::maximum_qos),
    v5("no retained messages taken", limit::retain_unavailable),
    v5("no matching subscribers", publish::no_matching_subscribers),
    v5("unknown authentication method", connect::unknown_method),
    v5("reason string", connect::reason_string),
];

//! Everything about one peer.

use std::collections::BTreeSet;
use std::io::{self, Write};

use ferrolb_api::{
    Bfd, Endpoints, MessageCounts, Messages, Negotiated, Notification, Open, Peer, PeerDetail,
    Timestamp,
};

use super::list::error;
use super::{asn, state, state_age};
use crate::output::{
    BOLD, DIM, Fields, GREEN, Look, RED, Table, YELLOW, age, ago, coloured, counted, plain,
};

/// Writes a peer.
pub(super) fn write(
    out: &mut dyn Write,
    look: Look,
    peer: &Peer,
    now: Timestamp,
) -> io::Result<()> {
    let Look { style, width, .. } = look;
    let title = format!("Peer {} on {}", peer.name, peer.node);
    writeln!(out, "{}", style.paint(BOLD, &title))?;

    let empty = PeerDetail::default();
    let detail = peer.detail.as_deref().unwrap_or(&empty);
    session(peer, detail, now).write(out, style, width)?;
    writeln!(out)?;

    if detail.open_sent.is_some() || detail.open_received.is_some() {
        let (sent, received) = (detail.open_sent.as_ref(), detail.open_received.as_ref());
        opens(sent, received, now).write_last(out, style, width)?;
        writeln!(out)?;
    }
    messages(&detail.messages).write_last(out, style, width)?;
    if let Some(bfd) = &peer.bfd {
        writeln!(out, "\n{}", style.paint(BOLD, "BFD"))?;
        of_bfd(bfd, now).write(out, style, width)?;
    }
    Ok(())
}

fn session(peer: &Peer, detail: &PeerDetail, now: Timestamp) -> Fields {
    let mut fields = Fields::default();
    let state = state(peer);
    let text = match peer.state_seconds {
        Some(_) => format!("{} for {}", state.text(), state_age(peer)),
        None => state.text().to_owned(),
    };
    fields.add("state", coloured(text, state.colour()));
    if let Some(message) = &detail.disabled_message {
        fields.add("disabled with", plain(format!("{message:?}")));
    }
    let local = peer.local_asn;
    fields.add("router", plain(format!("{}, AS {}; our AS is {local}", peer.endpoint, asn(peer))));
    if let Some(endpoints) = &detail.endpoints {
        fields.add("TCP", plain(connection(endpoints)));
    }
    fields.add("password", plain(if detail.has_password { "yes" } else { "no" }));

    let prefixes = peer.prefixes;
    let sent =
        format!("{} of {} sent, {} received", prefixes.sent, prefixes.planned, peer.received);
    if prefixes.unsendable > 0 {
        let unsendable = format!("{sent}, {} cannot be sent", prefixes.unsendable);
        fields.add("prefixes", coloured(unsendable, YELLOW));
    } else {
        fields.add("prefixes", plain(sent));
    }
    if detail.octets_waiting > 0 {
        let waiting = format!("{} octets, which TCP has not taken yet", detail.octets_waiting);
        fields.add("waiting", coloured(waiting, YELLOW));
    }

    if let Some(negotiated) = &detail.negotiated {
        add_negotiated(&mut fields, negotiated, detail);
    }
    let timers = detail.timers.iter();
    let timers: Vec<_> =
        timers.map(|timer| format!("{} {}", timer.name, left(timer.left_seconds))).collect();
    fields.add(
        "timers",
        plain(if timers.is_empty() { "none".to_owned() } else { timers.join(", ") }),
    );

    let came_up = detail.established_transitions;
    let failed = detail.connect_retry_counter;
    fields.add(
        "history",
        plain(format!(
            "up {}, lost {}, {} to connect",
            counted(came_up, "time", "times"),
            counted(peer.flaps, "time", "times"),
            counted(failed, "failed attempt", "failed attempts"),
        )),
    );
    add_errors(&mut fields, peer, detail, now);
    fields
}

fn connection(endpoints: &Endpoints) -> String {
    let Endpoints { local, remote, outgoing } = endpoints;
    let by = if *outgoing { "opened by us" } else { "opened by the router" };
    format!("{local} to {remote}, {by}")
}

fn add_negotiated(fields: &mut Fields, negotiated: &Negotiated, detail: &PeerDetail) {
    let kind = if negotiated.internal { "internal" } else { "external" };
    fields.add(
        "session",
        plain(format!(
            "{kind}, identifier {}, ours is {}",
            negotiated.remote_identifier, negotiated.local_identifier
        )),
    );
    fields.add("families", plain(negotiated.families.join(", ")));
    fields.add("agreed on", plain(negotiated.capabilities.join(", ")));

    let proposed = |open: &Option<Open>| {
        open.as_ref().map_or_else(|| "?".to_owned(), |open| format!("{}s", open.hold_time_seconds))
    };
    fields.add(
        "hold time",
        plain(format!(
            "{} (we proposed {}, the router {}), KEEPALIVE every {}",
            limit(negotiated.hold_time_seconds),
            proposed(&detail.open_sent),
            proposed(&detail.open_received),
            limit(negotiated.keepalive_time_seconds),
        )),
    );
    fields.add("send hold time", plain(limit(negotiated.send_hold_time_seconds)));
}

fn add_errors(fields: &mut Fields, peer: &Peer, detail: &PeerDetail, now: Timestamp) {
    let is_down = peer.state != super::ESTABLISHED;
    let colour = if is_down { RED } else { "" };
    // The last error is one of the two others, if they are known.
    let ends = [("last ended", &detail.last_down), ("last failure", &detail.last_failure)];
    let mut ends: Vec<_> =
        ends.into_iter().filter_map(|(name, it)| Some((name, it.as_ref()?))).collect();
    if ends.is_empty() {
        ends.extend(peer.last_error.as_ref().map(|it| ("last error", it)));
    }
    for (name, failure) in ends {
        fields.add(name, coloured(error(failure, now), colour));
        if let Some(hint) = &failure.hint {
            fields.add("to fix it", plain(hint));
        }
    }

    let notifications =
        [("sent", &detail.notification_sent), ("received", &detail.notification_received)];
    for (direction, notification) in notifications {
        if let Some(notification) = notification {
            let name = format!("NOTIFICATION {direction}");
            fields.add(name, plain(notification_text(notification, now)));
        }
    }
}

fn notification_text(notification: &Notification, now: Timestamp) -> String {
    let Notification { code, subcode, text, .. } = notification;
    let message = notification.message.as_ref();
    let message = message.map(|message| format!(", with the text {message:?}")).unwrap_or_default();
    format!("{text} ({code}/{subcode}){message}, {}", ago(notification.at, now))
}

/// Returns both OPENs, side by side: a row for each capability.
fn opens(sent: Option<&Open>, received: Option<&Open>, now: Timestamp) -> Table {
    let mut table = Table::new("OPEN", &["CODE", "SENT", "RECEIVED"]);
    let value = |open: Option<&Open>, value: fn(&Open) -> String| {
        plain(open.map_or_else(|| "-".to_owned(), value))
    };
    let row = |table: &mut Table, name: &str, of: fn(&Open) -> String| {
        table.row([plain(name), value(sent, of), value(received, of)]);
    };
    row(&mut table, "AS", |open| open.asn.to_string());
    row(&mut table, "identifier", |open| open.identifier.to_string());
    row(&mut table, "hold time", |open| format!("{}s", open.hold_time_seconds));
    let time =
        |open: Option<&Open>| plain(open.map_or_else(|| "-".to_owned(), |open| ago(open.at, now)));
    table.row([plain("time"), time(sent), time(received)]);

    let codes = |open: Option<&Open>| {
        open.map(|open| open.capabilities.iter().map(|it| it.code).collect()).unwrap_or_default()
    };
    let (ours, theirs): (BTreeSet<u8>, BTreeSet<u8>) = (codes(sent), codes(received));
    for code in ours.union(&theirs) {
        let texts = |open: Option<&Open>| {
            let found = open.map(|open| open.capabilities.iter().filter(|it| it.code == *code));
            found.into_iter().flatten().map(|it| it.text.clone()).collect::<Vec<_>>()
        };
        let (ours, theirs) = (texts(sent), texts(received));
        for number in 0..ours.len().max(theirs.len()) {
            let side = |texts: &[String], others: &[String]| match texts.get(number) {
                Some(text) if others.is_empty() => coloured(text, YELLOW),
                Some(text) => plain(text),
                None => coloured("-", DIM),
            };
            table.row([plain(code), side(&ours, &theirs), side(&theirs, &ours)]);
        }
    }
    table
}

fn messages(messages: &Messages) -> Table {
    let mut table = Table::new("Messages", &["TYPE", "SENT", "RECEIVED"]);
    let Messages { sent, received, .. } = messages;
    let mut row = |name: &str, count: fn(&MessageCounts) -> u64| {
        table.row([plain(name), plain(count(sent)), plain(count(received))]);
    };
    row("OPEN", |it| it.open);
    row("UPDATE", |it| it.update);
    row("NOTIFICATION", |it| it.notification);
    row("KEEPALIVE", |it| it.keepalive);
    row("ROUTE-REFRESH", |it| it.route_refresh);
    table.row([plain("octets"), plain(messages.octets_sent), plain(messages.octets_received)]);
    table
}

fn of_bfd(bfd: &Bfd, now: Timestamp) -> Fields {
    let mut fields = Fields::default();
    let colour = if bfd.state == "Up" { GREEN } else { RED };
    let since = bfd.state_seconds.map(|it| format!(" for {}", age(it))).unwrap_or_default();
    fields.add("state", coloured(format!("{}{since}", bfd.state), colour));
    if let Some(reason) = &bfd.reason {
        fields.add("reason", coloured(reason, colour));
    }
    fields.add("router's state", plain(&bfd.remote_state));
    fields.add(
        "diagnostics",
        plain(format!("ours {}, router's {}", bfd.diagnostic, bfd.remote_diagnostic)),
    );
    fields.add(
        "intervals",
        plain(format!(
            "send {} ms, receive {} ms, down after {} ms",
            bfd.transmit_interval_ms, bfd.receive_interval_ms, bfd.detection_time_ms
        )),
    );
    fields.add(
        "packets",
        plain(format!(
            "{} sent, {} received, {} discarded",
            bfd.packets_sent, bfd.packets_received, bfd.packets_discarded
        )),
    );
    fields.add(
        "history",
        plain(format!(
            "up {}, lost {}",
            counted(bfd.ups, "time", "times"),
            counted(bfd.failures, "time", "times"),
        )),
    );
    if let Some(at) = bfd.last_down_at {
        fields.add("last lost", plain(ago(at, now)));
    }
    fields
}

/// Returns the time that a timer has left, in tenths of a second if it is short.
fn left(seconds: f64) -> String {
    if seconds < 10.0 { format!("{seconds:.1}s left") } else { format!("{} left", age(seconds)) }
}

/// Returns a time limit, of which zero is none.
fn limit(seconds: f64) -> String {
    if seconds > 0.0 { format!("{seconds}s") } else { "none".to_owned() }
}

//! The page for people: the parts of a message with their offsets and values, its errors, and the verdict.

use std::fmt::Display;
use std::io::{self, Write};

use bgp_session::wire::{
    AttributeFlags, AttributeView, Frame, HEADER_LENGTH, Message, MessageType, Treatment, Update,
};

use super::attribute_text::{attribute_text, prefixes};
use super::hex;
use super::verdict::{JudgedMessage, NotOneMessage, Outcome};

/// Writes the page of a message.
///
/// # Errors
///
/// The errors of writing.
pub(super) fn explain(judged: &JudgedMessage<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut page = Page { octets: judged.octets, out };
    page.header(octets(judged.octets.len()))?;

    if let Some(frame) = judged.frame {
        match frame.kind() {
            MessageType::Open => page.open(frame)?,
            MessageType::Update => page.update(frame, judged.update())?,
            _ => page.short_message(frame, judged.message.as_ref())?,
        }
    }
    page.verdict(judged)
}

/// Writes the page of octets that are not one message.
///
/// # Errors
///
/// The errors of writing.
pub(super) fn explain_fragment(
    given: &[u8],
    error: NotOneMessage,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut page = Page { octets: given, out };

    let (NotOneMessage::Truncated { expected, found } | NotOneMessage::Surplus { expected, found }) =
        error;
    page.header(format!("{found} of {}", octets(expected)))?;
    if let Some(rest) = given.get(HEADER_LENGTH..).filter(|rest| !rest.is_empty()) {
        page.line(HEADER_LENGTH, rest.len(), octets(rest.len()))?;
    }
    writeln!(out, "not one message: {error}")
}

/// A page that is being written.
struct Page<'a, W> {
    octets: &'a [u8],
    out: &'a mut W,
}

impl<W: Write> Page<'_, W> {
    /// Writes a line: offset, octets, meaning.
    fn line(&mut self, at: usize, length: usize, meaning: impl Display) -> io::Result<()> {
        let end = (at + length).min(self.octets.len());
        let part = self.octets.get(at..end).unwrap_or_default();
        let line = format!("{at:>5}  {:<24} {meaning}", shortened(part));
        writeln!(self.out, "{}", line.trim_end())
    }

    /// Returns the offset of a part of the message.
    fn offset(&self, part: &[u8]) -> usize {
        (part.as_ptr() as usize).saturating_sub(self.octets.as_ptr() as usize)
    }

    fn header(&mut self, length: String) -> io::Result<()> {
        let kind = self.octets.get(18).copied();
        let name = kind.and_then(MessageType::from_code);
        let name = name.map_or_else(|| "message".to_owned(), |name| name.to_string());
        writeln!(self.out, "{name}, {length}")?;

        if !self.octets.is_empty() {
            self.line(0, 16, "marker")?;
        }
        if let Some([high, low]) = self.octets.get(16..18) {
            let length = u16::from_be_bytes([*high, *low]);
            self.line(16, 2, format_args!("length {length}"))?;
        }
        match kind {
            Some(kind) => self.line(18, 1, format_args!("type {kind}, {name}")),
            None => Ok(()),
        }
    }

    fn open(&mut self, frame: Frame<'_>) -> io::Result<()> {
        let [version, as_1, as_2, hold_1, hold_2, id_1, id_2, id_3, id_4, parameters, ..] =
            frame.body()
        else {
            return Ok(());
        };

        self.line(19, 1, format_args!("version {version}"))?;
        self.line(20, 2, format_args!("AS {}", u16::from_be_bytes([*as_1, *as_2])))?;
        let hold_time = u16::from_be_bytes([*hold_1, *hold_2]);
        self.line(22, 2, format_args!("hold time {hold_time} s"))?;
        self.line(24, 4, format_args!("BGP identifier {id_1}.{id_2}.{id_3}.{id_4}"))?;

        let long = if frame.body().get(10) == Some(&0xff) && *parameters != 0 {
            ", in the long form of RFC 9072"
        } else {
            ""
        };
        self.line(28, 1, format_args!("optional parameters{long}"))?;

        for view in frame.capabilities().into_iter().flatten() {
            let at = self.offset(view.value).saturating_sub(2);
            let meaning = format!("capability {}, {}", view.code.0, view.read());
            self.line(at, 2 + view.value.len(), meaning)?;
        }
        Ok(())
    }

    /// Writes a NOTIFICATION, a ROUTE-REFRESH or a KEEPALIVE.
    fn short_message(&mut self, frame: Frame<'_>, message: Option<&Message<'_>>) -> io::Result<()> {
        let body = frame.body().len();
        match message {
            Some(Message::Notification(notification)) => {
                let (code, subcode) = (notification.code.0, notification.subcode);
                let meaning = format_args!("code {code}, subcode {subcode}: {notification}");
                self.line(19, 2, meaning)?;
                if body > 2 {
                    self.line(21, body - 2, format_args!("data, {}", octets(body - 2)))?;
                }
                Ok(())
            }
            Some(Message::RouteRefresh(refresh)) => {
                let subtype = match refresh.subtype.0 {
                    0 => "request for routes (RFC 2918)",
                    1 => "beginning of route refresh (RFC 7313)",
                    2 => "end of route refresh (RFC 7313)",
                    _ => "unknown subtype",
                };
                self.line(19, 4, format_args!("{}: {subtype}", refresh.family))?;
                if body > 4 {
                    self.line(23, body - 4, "outbound route filters (RFC 5291), not read")?;
                }
                Ok(())
            }
            _ if body > 0 => self.line(19, body, octets(body)),
            _ => Ok(()),
        }
    }

    /// Writes an UPDATE. If it could not be decoded, writes only its octets.
    fn update(&mut self, frame: Frame<'_>, update: Option<&Update<'_>>) -> io::Result<()> {
        let Some(fields) = frame.update_fields() else {
            let body = frame.body().len();
            return self.line(HEADER_LENGTH, body, octets(body));
        };

        if let Some(family) = update.and_then(Update::end_of_rib) {
            writeln!(self.out, "{:>31} End-of-RIB of {family}", "")?;
        }

        let length = fields.withdrawn.len();
        self.line(19, 2, format_args!("withdrawn routes, {}", octets(length)))?;
        if length > 0 {
            let routes = update.map(|update| prefixes(update.withdrawn().with_path_ids()));
            self.line(21, length, routes.unwrap_or_default())?;
        }

        let (at, length) = (self.offset(fields.attributes), fields.attributes.len());
        self.line(at.saturating_sub(2), 2, format_args!("path attributes, {}", octets(length)))?;
        let mut shown = 0;
        for attribute in fields.attributes() {
            shown += self.attribute(update, &attribute)?;
        }
        if shown < length {
            let rest = length - shown;
            self.line(at + shown, rest, format_args!("truncated attribute, {}", octets(rest)))?;
        }

        if !fields.nlri.is_empty() {
            let routes = update.map(|update| prefixes(update.nlri().with_path_ids()));
            let meaning = format!("routes: {}", routes.unwrap_or_default());
            self.line(at + length, fields.nlri.len(), meaning)?;
        }
        Ok(())
    }

    /// Writes an attribute, and returns the number of its octets.
    fn attribute(
        &mut self,
        update: Option<&Update<'_>>,
        attribute: &AttributeView<'_>,
    ) -> io::Result<usize> {
        let AttributeView { code, value, .. } = attribute;
        let is_extended = attribute.flags.contains(AttributeFlags::EXTENDED_LENGTH);
        let length = if is_extended { 4 } else { 3 } + value.len();
        let at = self.offset(value) + value.len() - length;

        let text = update
            .filter(|update| !has_error(update, attribute))
            .and_then(|update| attribute_text(update, *code));
        let meaning = match text {
            Some(text) => format!("{code} {text}"),
            None => format!("{code} ({}) {}", flags(attribute), hex::print(value)),
        };
        self.line(at, length, meaning)?;
        Ok(length)
    }

    fn verdict(&mut self, judged: &JudgedMessage<'_>) -> io::Result<()> {
        if let Some(Message::Update(update)) = &judged.message {
            for finding in update.findings() {
                let (at, error) = (finding.error.offset(), finding.error);
                writeln!(self.out, "{at:>5}  {:<24} {error} -> {}", "wrong", finding.treatment)?;
            }
        }
        if let (None, Some(error)) = (&judged.message, &judged.error) {
            let at = error.offset();
            writeln!(self.out, "{at:>5}  {:<24} {error}", "wrong")?;
        }

        writeln!(self.out, "verdict: {}{}", judged.outcome, consequence(judged))?;
        for remark in remarks(judged) {
            writeln!(self.out, "remark: {remark}")?;
        }

        let Some(notification) = &judged.notification else { return Ok(()) };
        let (code, subcode) = (notification.code.0, notification.subcode);
        write!(self.out, "the session ends with NOTIFICATION {code}/{subcode}, {notification}")?;
        if !notification.data.is_empty() {
            write!(self.out, ", data {}", hex::print(&notification.data))?;
        }
        writeln!(self.out)
    }
}

/// Returns the reasons, other than the verdict, why a session that imports routes would not use these.
fn remarks(judged: &JudgedMessage<'_>) -> Vec<&'static str> {
    let Some(update) = judged.update().filter(|_| judged.is_used()) else { return Vec::new() };
    if update.reachable().next().is_some() && update.to_attributes().as_path.has_set() {
        vec!["the path has an AS_SET or AS_CONFED_SET: routes count as withdrawn (RFC 9774)"]
    } else {
        Vec::new()
    }
}

/// Returns the consequence of a verdict for the routes and the session (RFC 7606 section 2).
fn consequence(judged: &JudgedMessage<'_>) -> String {
    let Outcome::Treated(treatment) = judged.outcome else { return String::new() };
    match treatment {
        Treatment::None | Treatment::SessionReset => String::new(),
        Treatment::AttributeDiscard => {
            ": the attribute is discarded, the routes and the session stay".to_owned()
        }
        Treatment::TreatAsWithdraw => {
            let routes = judged.update().map(|update| update.unreachable().with_path_ids());
            let routes = routes.map(prefixes).unwrap_or_default();
            format!(": the session stays, these routes count as withdrawn: {routes}")
        }
        Treatment::AfiSafiDisable => {
            ": the session continues without that address family".to_owned()
        }
    }
}

/// Returns true if an attribute has an error.
fn has_error(update: &Update<'_>, attribute: &AttributeView<'_>) -> bool {
    update
        .findings()
        .filter_map(|finding| finding.attribute)
        .any(|other| std::ptr::eq(other.value, attribute.value))
}

fn flags(attribute: &AttributeView<'_>) -> String {
    let has = |flag| attribute.flags.contains(flag);
    let mut words = vec![if has(AttributeFlags::OPTIONAL) { "optional" } else { "well-known" }];
    words.push(if has(AttributeFlags::TRANSITIVE) { "transitive" } else { "non-transitive" });
    if has(AttributeFlags::PARTIAL) {
        words.push("partial");
    }
    words.join(" ")
}

/// Returns a number of octets in words.
fn octets(count: usize) -> String {
    format!("{count} octet{}", if count == 1 { "" } else { "s" })
}

/// Returns the first octets, as many as fit the column.
fn shortened(octets: &[u8]) -> String {
    match octets.get(..MAX_SHOWN) {
        Some(first) if octets.len() > MAX_SHOWN => format!("{}..", hex::print(first)),
        _ => hex::print(octets),
    }
}

const MAX_SHOWN: usize = 11;

//! A message explained to a person: where each part stands, what it says, what is wrong with it and what becomes of it.

use std::fmt::Display;
use std::io::{self, Write};

use bgp_session::wire::{
    AttributeCode, AttributeFlags, AttributeView, Message, MessageType, NextHop, Open, Treatment,
    Update,
};

use super::hex;
use super::verdict::{Judged, NotOneMessage};

/// Explains one message.
///
/// # Errors
///
/// What writing says.
pub(super) fn explain(judged: &Judged<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut page = Page { octets: judged.octets, out };
    page.header()?;
    match &judged.message {
        Some(Message::Open(open)) => page.open(open)?,
        Some(Message::Update(update)) => page.update(update)?,
        Some(Message::Notification(it)) => page.line(19, 2, format_args!("{it}"))?,
        Some(Message::RouteRefresh(it)) => {
            let what = match it.subtype.0 {
                0 => "request for routes",
                1 => "beginning of route refresh",
                2 => "end of route refresh",
                _ => "unknown subtype",
            };
            page.line(19, 4, format_args!("{}: {what}", it.family))?;
        }
        _ => {}
    }
    page.verdict(judged)
}

/// Explains why octets are no message to judge.
///
/// # Errors
///
/// What writing says.
pub(super) fn explain_fragment(
    octets: &[u8],
    why: NotOneMessage,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "not one message: {why}")?;
    writeln!(out, "{:>5}  {}", 0, shortened(octets))
}

struct Page<'a, W> {
    octets: &'a [u8],
    out: &'a mut W,
}

impl<W: Write> Page<'_, W> {
    fn line(&mut self, at: usize, length: usize, meaning: impl Display) -> io::Result<()> {
        let end = (at + length).min(self.octets.len());
        let octets = self.octets.get(at..end).unwrap_or_default();
        writeln!(self.out, "{at:>5}  {:<24} {meaning}", shortened(octets))
    }

    /// Where a part of the message stands.
    fn offset(&self, part: &[u8]) -> usize {
        (part.as_ptr() as usize).saturating_sub(self.octets.as_ptr() as usize)
    }

    fn header(&mut self) -> io::Result<()> {
        let kind = self.octets.get(18).copied();
        let name = kind.and_then(MessageType::from_code);
        let name = name.map_or_else(|| "message".to_owned(), |name| name.to_string());
        writeln!(self.out, "{name}, {} octets", self.octets.len())?;
        self.line(0, 16, "marker")?;
        if let Some([high, low]) = self.octets.get(16..18) {
            let length = u16::from_be_bytes([*high, *low]);
            self.line(16, 2, format_args!("length {length}"))?;
        }
        match kind {
            Some(kind) => self.line(18, 1, format_args!("type {kind}, {name}")),
            None => Ok(()),
        }
    }

    fn open(&mut self, open: &Open) -> io::Result<()> {
        self.line(19, 1, format_args!("version {}", open.version))?;
        let real = if open.asn.0 == u32::from(open.my_as) {
            String::new()
        } else {
            format!(", and by the four-octet capability AS {}", open.asn)
        };
        self.line(20, 2, format_args!("AS {}{real}", open.my_as))?;
        self.line(22, 2, format_args!("hold time {} s", open.hold_time))?;
        self.line(24, 4, format_args!("BGP identifier {}", open.identifier))?;
        self.line(28, 1, "optional parameters")?;
        for capability in &open.capabilities {
            writeln!(self.out, "{:>31} capability {}: {capability:?}", "", capability.code())?;
        }
        Ok(())
    }

    fn update(&mut self, update: &Update<'_>) -> io::Result<()> {
        if let Some(family) = update.end_of_rib() {
            writeln!(self.out, "{:>31} End-of-RIB of {family}", "")?;
        }
        let withdrawn: Vec<_> = update.withdrawn().map(|prefix| prefix.to_string()).collect();
        self.line(19, 2, format_args!("withdrawn routes: {}", listed(&withdrawn)))?;
        let attributes = update.attribute_octets();
        let at = self.offset(attributes);
        let meaning = format!("path attributes, {} octets", attributes.len());
        self.line(at.saturating_sub(2), 2, meaning)?;
        for attribute in update.attributes() {
            self.attribute(update, &attribute)?;
        }
        let nlri: Vec<_> = update.nlri().map(|prefix| prefix.to_string()).collect();
        if !nlri.is_empty() {
            let at = at + attributes.len();
            let rest = self.octets.len().saturating_sub(at);
            self.line(at, rest, format_args!("routes: {}", listed(&nlri)))?;
        }
        Ok(())
    }

    fn attribute(&mut self, update: &Update<'_>, it: &AttributeView<'_>) -> io::Result<()> {
        let extended = it.flags.contains(AttributeFlags::EXTENDED_LENGTH);
        let header = if extended { 4 } else { 3 };
        let at = self.offset(it.value).saturating_sub(header);
        let value = value(update, it);
        self.line(at, header + it.value.len(), format_args!("{} {value}", it.code))
    }

    fn verdict(&mut self, judged: &Judged<'_>) -> io::Result<()> {
        if let Some(Message::Update(update)) = &judged.message {
            for finding in update.findings() {
                let at = finding.error.offset();
                writeln!(
                    self.out,
                    "{at:>5}  {:<24} {} -> {}",
                    "wrong", finding.error, finding.treatment
                )?;
            }
        }
        if let (None, Some(error)) = (&judged.message, &judged.error) {
            self.line(error.offset(), 4, format_args!("wrong: {error}"))?;
        }
        writeln!(self.out, "verdict: {}", judged.outcome)?;
        if let Some(notification) = &judged.notification {
            let (code, subcode) = (notification.code.0, notification.subcode);
            write!(
                self.out,
                "the session ends with NOTIFICATION {code}/{subcode}, {notification}"
            )?;
            if !notification.data.is_empty() {
                write!(self.out, ", data {}", hex::print(&notification.data))?;
            }
            writeln!(self.out)?;
        }
        Ok(())
    }
}

/// What an attribute says; only its octets where it is wrong, or unknown.
fn value(update: &Update<'_>, attribute: &AttributeView<'_>) -> String {
    let is_wrong = update
        .findings()
        .filter(|finding| finding.treatment != Treatment::None)
        .filter_map(|finding| finding.attribute)
        .any(|it| std::ptr::eq(it.value, attribute.value));
    let said = if is_wrong { None } else { said(update, attribute.code) };
    said.unwrap_or_else(|| hex::print(attribute.value))
}

fn said(update: &Update<'_>, code: AttributeCode) -> Option<String> {
    Some(match code {
        AttributeCode::ORIGIN => update.origin()?.to_string(),
        AttributeCode::AS_PATH => match update.as_path()?.to_owned() {
            path if path.is_empty() => "empty".to_owned(),
            path => path.to_string(),
        },
        AttributeCode::NEXT_HOP => update.next_hop()?.to_string(),
        AttributeCode::MULTI_EXIT_DISC => update.med()?.to_string(),
        AttributeCode::LOCAL_PREF => update.local_pref()?.to_string(),
        AttributeCode::ATOMIC_AGGREGATE => String::new(),
        AttributeCode::AGGREGATOR => {
            let aggregator = update.aggregator()?;
            format!("AS {} at {}", aggregator.asn, aggregator.address)
        }
        AttributeCode::COMMUNITIES => words(update.communities()),
        AttributeCode::EXTENDED_COMMUNITIES => words(update.extended_communities()),
        AttributeCode::IPV6_EXTENDED_COMMUNITIES => words(update.ipv6_extended_communities()),
        AttributeCode::LARGE_COMMUNITIES => words(update.large_communities()),
        AttributeCode::ORIGINATOR_ID => update.originator_id()?.to_string(),
        AttributeCode::CLUSTER_LIST => words(update.cluster_list()),
        AttributeCode::AS4_PATH => update.as4_path()?.to_owned().to_string(),
        AttributeCode::ONLY_TO_CUSTOMER => format!("AS {}", update.only_to_customer()?),
        AttributeCode::AIGP => update.aigp()?.to_string(),
        AttributeCode::MP_REACH_NLRI => {
            let reach = update.mp_reach()?;
            let next_hop = match reach.next_hop() {
                Some(NextHop::V6 { global, link_local: Some(local) }) => {
                    format!("{global} and {local}")
                }
                Some(next_hop) => next_hop.address().to_string(),
                None => hex::print(reach.next_hop_octets()),
            };
            let nlri: Vec<_> = reach.nlri().map(|prefix| prefix.to_string()).collect();
            format!("{} via {next_hop}: {}", reach.family(), listed(&nlri))
        }
        AttributeCode::MP_UNREACH_NLRI => {
            let unreach = update.mp_unreach()?;
            let nlri: Vec<_> = unreach.nlri().map(|prefix| prefix.to_string()).collect();
            format!("{}: {}", unreach.family(), listed(&nlri))
        }
        _ => return None,
    })
}

fn words<T: Display>(all: impl Iterator<Item = T>) -> String {
    all.map(|one| one.to_string()).collect::<Vec<_>>().join(" ")
}

fn listed(prefixes: &[String]) -> String {
    if prefixes.is_empty() { "none".to_owned() } else { prefixes.join(", ") }
}

/// The first octets, as many as fit the column.
fn shortened(octets: &[u8]) -> String {
    match octets.get(..MOST_SHOWN) {
        Some(first) if octets.len() > MOST_SHOWN => format!("{}..", hex::print(first)),
        _ => hex::print(octets),
    }
}

const MOST_SHOWN: usize = 11;

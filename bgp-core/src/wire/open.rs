//! OPEN: who the speaker is and what it can do (RFC 4271 section 4.2, RFC 5492, RFC 9072).
//!
//! What the octets alone decide is judged here. What needs the configuration (is that the AS I expected, is that my
//! own identifier, which hold time results) is the state machine's.

use bytes::{BufMut, BytesMut};

use crate::types::{Asn, BgpIdentifier};

use super::capability::Capability;
use super::encode::message;
use super::error::{DecodeError, ErrorKind};
use super::frame::{HEADER_LENGTH, MessageType};
use super::input::{
    Parsed, counted_by_octet, counted_by_two_octets, four_octets, octet, two_octets,
};

/// An OPEN message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Open {
    /// The protocol version: 4, always.
    pub version: u8,
    /// The speaker's AS: of the four-octet capability where there is one, else of the two-octet field.
    pub asn: Asn,
    /// The two-octet field as it stands on the wire: AS_TRANS where the AS does not fit.
    pub my_as: u16,
    /// Seconds; 0 for none, else at least 3.
    pub hold_time: u16,
    /// The speaker's identifier; never 0.
    pub identifier: BgpIdentifier,
    /// Its capabilities in the order sent, repeated ones included.
    pub capabilities: Vec<Capability>,
    /// The parameters had lengths of two octets (RFC 9072). Encoding does so where it has to, whatever this says.
    pub extended_parameters: bool,
}

impl Open {
    /// The version that this crate speaks.
    pub const VERSION: u8 = 4;

    /// An OPEN to send. The four-octet capability is not added: it belongs among `capabilities`, with the same AS.
    #[must_use]
    pub fn new(
        asn: Asn,
        hold_time: u16,
        identifier: BgpIdentifier,
        capabilities: Vec<Capability>,
    ) -> Self {
        let my_as = asn.to_two_octets();
        let version = Self::VERSION;
        Self {
            version,
            asn,
            my_as,
            hold_time,
            identifier,
            capabilities,
            extended_parameters: false,
        }
    }

    /// The AS of the four-octet capability, if the speaker has that (RFC 6793).
    #[must_use]
    pub fn four_octet_as(&self) -> Option<Asn> {
        four_octet_as(&self.capabilities)
    }

    /// Appends the message: all capabilities in one parameter, in the form of RFC 9072 where they have more than 253
    /// octets. Capabilities that would make it longer than 4,096 octets are left out.
    pub fn encode(&self, out: &mut BytesMut) {
        let mut capabilities = BytesMut::new();
        for capability in &self.capabilities {
            let whole = capabilities.len();
            capability.encode(&mut capabilities);
            if capabilities.len() > MOST_CAPABILITY_OCTETS {
                capabilities.truncate(whole);
                break;
            }
        }
        message(out, MessageType::Open, |out| {
            out.put_u8(Self::VERSION);
            out.put_u16(self.asn.to_two_octets());
            out.put_u16(self.hold_time);
            out.put_u32(self.identifier.into());
            match (u8::try_from(capabilities.len() + 2), u16::try_from(capabilities.len())) {
                (Ok(2), _) => out.put_u8(0),
                (Ok(total), _) => out.put_slice(&[total, CAPABILITIES, total - 2]),
                (Err(_), length) => {
                    let length = length.unwrap_or_default();
                    out.put_slice(&[0xff, EXTENDED]);
                    out.put_u16(length + 3);
                    out.put_u8(CAPABILITIES);
                    out.put_u16(length);
                }
            }
            out.put_slice(&capabilities);
        });
    }

    /// Reads what follows the header, at least ten octets by the frame's check.
    pub(super) fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let structure = |rest: &[u8]| offset(body, rest);
        let (rest, fixed) =
            fixed(body).map_err(|_| DecodeError::new(ErrorKind::OpenStructure, HEADER_LENGTH))?;
        let (version, my_as, hold_time, identifier) = fixed;
        let refuse = |kind, at| Err(DecodeError::new(kind, HEADER_LENGTH + at));
        if version != Self::VERSION {
            return refuse(ErrorKind::OpenVersion, 0);
        }
        if my_as == 0 {
            return refuse(ErrorKind::OpenAs, 1);
        }
        if matches!(hold_time, 1 | 2) {
            return refuse(ErrorKind::OpenHoldTime, 3);
        }
        if !identifier.is_valid() {
            return refuse(ErrorKind::OpenIdentifier, 5);
        }
        let (capabilities, extended_parameters) = parameters(rest)
            .map_err(|fault| DecodeError::new(fault.kind, structure(fault.rest)))?;
        let four_octet_as = four_octet_as(&capabilities);
        if four_octet_as == Some(Asn::ZERO) {
            return refuse(ErrorKind::OpenAs, 1);
        }
        let asn = four_octet_as.unwrap_or_else(|| my_as.into());
        Ok(Self { version, asn, my_as, hold_time, identifier, capabilities, extended_parameters })
    }
}

/// What is wrong, and the octets from there on.
struct OpenFault<'a> {
    kind: ErrorKind,
    rest: &'a [u8],
}

fn fixed(input: &[u8]) -> Parsed<'_, (u8, u16, u16, BgpIdentifier)> {
    let (input, version) = octet(input)?;
    let (input, my_as) = two_octets(input)?;
    let (input, hold_time) = two_octets(input)?;
    let (input, identifier) = four_octets(input)?;
    Ok((input, (version, my_as, hold_time, identifier.into())))
}

/// The optional parameters of an OPEN, one after the other.
#[derive(Clone, Debug)]
pub(super) struct OptionalParameters<'a> {
    rest: &'a [u8],
    /// Lengths have two octets (RFC 9072).
    extended: bool,
}

impl<'a> OptionalParameters<'a> {
    /// From the body of an OPEN that may be anything.
    pub(super) fn of(body: &'a [u8]) -> Option<Self> {
        let (rest, _) = fixed(body).ok()?;
        Some(Self::split(rest).ok()?.1)
    }

    /// From the length before them. RFC 9072 section 2: a first parameter of type 255 is the sign of the long form; the
    /// length before it is ignored unless it is 0.
    fn split(input: &'a [u8]) -> Parsed<'a, Self> {
        let (after, rest, extended) = match input {
            [1..=u8::MAX, EXTENDED, field @ ..] => {
                let (after, rest) = counted_by_two_octets(field)?;
                (after, rest, true)
            }
            _ => {
                let (after, rest) = counted_by_octet(input)?;
                (after, rest, false)
            }
        };
        Ok((after, Self { rest, extended }))
    }

    /// Type and value of the next parameter. `None` where it exceeds the field.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (kind, tail) = self.rest.split_first()?;
        let split = if self.extended { counted_by_two_octets } else { counted_by_octet };
        let (rest, value) = split(tail).ok()?;
        self.rest = rest;
        Some((*kind, value))
    }

    /// The next parameter that is capabilities.
    pub(super) fn next_capabilities(&mut self) -> Option<&'a [u8]> {
        loop {
            let (kind, value) = self.next()?;
            if kind == CAPABILITIES {
                return Some(value);
            }
        }
    }
}

/// The capabilities of all optional parameters; and whether these are in the form of RFC 9072.
fn parameters(input: &[u8]) -> Result<(Vec<Capability>, bool), OpenFault<'_>> {
    let malformed = |rest| OpenFault { kind: ErrorKind::OpenStructure, rest };
    let (after, mut parameters) = OptionalParameters::split(input).map_err(|_| malformed(input))?;
    if !after.is_empty() {
        return Err(malformed(after));
    }
    let mut capabilities = Vec::new();
    while !parameters.rest.is_empty() {
        let rest = parameters.rest;
        let (kind, value) = parameters.next().ok_or_else(|| malformed(rest))?;
        if kind != CAPABILITIES {
            return Err(OpenFault { kind: ErrorKind::OpenParameter, rest });
        }
        read_capabilities(value, &mut capabilities)?;
    }
    Ok((capabilities, parameters.extended))
}

fn read_capabilities<'a>(
    mut rest: &'a [u8],
    all: &mut Vec<Capability>,
) -> Result<(), OpenFault<'a>> {
    while let [code, tail @ ..] = rest {
        let malformed = |_| OpenFault { kind: ErrorKind::OpenStructure, rest };
        let (next, value) = counted_by_octet(tail).map_err(malformed)?;
        if Capability::is_malformed(*code, value) {
            return Err(OpenFault { kind: ErrorKind::OpenStructure, rest });
        }
        all.push(Capability::decode(*code, value));
        rest = next;
    }
    Ok(())
}

/// Of several the last one stands; RFC 5492 section 4 lets a speaker send them and leaves the choice open.
fn four_octet_as(capabilities: &[Capability]) -> Option<Asn> {
    capabilities.iter().rev().find_map(|capability| match capability {
        Capability::FourOctetAs(asn) => Some(*asn),
        _ => None,
    })
}

/// Octets from the start of the message to `rest`, a tail of some part of `body`.
fn offset(body: &[u8], rest: &[u8]) -> usize {
    let inside = (rest.as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
    HEADER_LENGTH + inside.min(body.len())
}

/// The parameter type that means capabilities (RFC 5492 section 4).
const CAPABILITIES: u8 = 2;
/// The parameter type that announces lengths of two octets (RFC 9072 section 2).
const EXTENDED: u8 = 255;
/// What a message of 4,096 octets has room for beside its fixed part and the lengths of RFC 9072.
const MOST_CAPABILITY_OCTETS: usize = 4_096 - 29 - 6;

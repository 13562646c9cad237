//! OPEN: the identity and the capabilities of a speaker (RFC 4271 section 4.2, RFC 5492, RFC 9072).
//!
//! This module checks only values that do not depend on the configuration. The state machine checks the rest: the
//! expected AS, its own identifier, the resulting hold time.

use bytes::{BufMut, BytesMut};

use crate::types::{Asn, BgpIdentifier};

use super::capability::{Capability, CapabilityCode};
use super::error::DecodeError;
use super::error_kind::ErrorKind;
use super::header::{HEADER_LENGTH, MessageType, message};
use super::input::{
    Parsed, counted_by_octet, counted_by_two_octets, four_octets, octet, two_octets,
};

/// An OPEN message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Open {
    /// The protocol version: 4, always.
    pub version: u8,
    /// The speaker's AS, from the four-octet capability if there is one, otherwise from the two-octet field.
    pub asn: Asn,
    /// The two-octet field on the wire: AS_TRANS if the AS does not fit.
    pub my_as: u16,
    /// The hold time in seconds: 0 for none, otherwise at least 3.
    pub hold_time: u16,
    /// The speaker's identifier; never 0.
    pub identifier: BgpIdentifier,
    /// The capabilities in the order sent, including repeated ones.
    pub capabilities: Vec<Capability>,
    /// True if the parameters had lengths of two octets (RFC 9072). Encoding ignores this and uses them when necessary.
    pub extended_parameters: bool,
}

impl Open {
    /// The version that this crate speaks.
    pub const VERSION: u8 = 4;

    /// Creates an OPEN to send. The four-octet capability is not added: pass it in `capabilities`, with the same AS.
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

    /// The AS in the four-octet capability, if the speaker has it (RFC 6793).
    #[must_use]
    pub fn four_octet_as(&self) -> Option<Asn> {
        four_octet_as(&self.capabilities)
    }

    /// Appends the message, with all capabilities in one parameter.
    ///
    /// More than 253 octets of capabilities use the format of RFC 9072. Capabilities that would make the message exceed
    /// 4,096 octets are left out.
    pub fn encode(&self, out: &mut BytesMut) {
        let mut capabilities = BytesMut::new();
        for capability in &self.capabilities {
            let fitting = capabilities.len();
            capability.encode(&mut capabilities);
            if capabilities.len() > MOST_CAPABILITY_OCTETS {
                capabilities.truncate(fitting);
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

    /// Decodes the body, which has at least ten octets in a valid frame.
    pub(super) fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let (rest, (version, my_as, hold_time, identifier)) =
            fixed(body).map_err(|_| DecodeError::new(ErrorKind::OpenStructure, HEADER_LENGTH))?;

        if version != Self::VERSION {
            return Err(DecodeError::new(ErrorKind::OpenVersion, HEADER_LENGTH));
        }
        if my_as == 0 {
            return Err(DecodeError::new(ErrorKind::OpenAs, MY_AS_AT));
        }
        if matches!(hold_time, 1 | 2) {
            return Err(DecodeError::new(ErrorKind::OpenHoldTime, HEADER_LENGTH + 3));
        }
        if !identifier.is_valid() {
            return Err(DecodeError::new(ErrorKind::OpenIdentifier, HEADER_LENGTH + 5));
        }

        let (capabilities, extended_parameters) = parameters(rest)
            .map_err(|fault| DecodeError::new(fault.kind, offset(body, fault.rest)))?;
        let four_octet_as = four_octet_as(&capabilities);
        if four_octet_as == Some(Asn::ZERO) {
            return Err(DecodeError::new(ErrorKind::OpenAs, MY_AS_AT));
        }

        let asn = four_octet_as.unwrap_or_else(|| my_as.into());
        Ok(Self { version, asn, my_as, hold_time, identifier, capabilities, extended_parameters })
    }
}

/// An error in the optional parameters, and the octets from there on.
struct OpenFault<'a> {
    kind: ErrorKind,
    rest: &'a [u8],
}

impl<'a> OpenFault<'a> {
    /// The parameters do not fit their lengths.
    const fn malformed(rest: &'a [u8]) -> Self {
        Self { kind: ErrorKind::OpenStructure, rest }
    }
}

/// Reads the fixed part of an OPEN.
fn fixed(input: &[u8]) -> Parsed<'_, (u8, u16, u16, BgpIdentifier)> {
    let (input, version) = octet(input)?;
    let (input, my_as) = two_octets(input)?;
    let (input, hold_time) = two_octets(input)?;
    let (input, identifier) = four_octets(input)?;
    Ok((input, (version, my_as, hold_time, identifier.into())))
}

/// The optional parameters of an OPEN, read one by one.
#[derive(Clone, Debug)]
pub(super) struct OptionalParameters<'a> {
    rest: &'a [u8],
    /// True if lengths have two octets (RFC 9072).
    extended: bool,
}

impl<'a> OptionalParameters<'a> {
    /// The parameters in the unchecked body of an OPEN.
    pub(super) fn of(body: &'a [u8]) -> Option<Self> {
        let (rest, _) = fixed(body).ok()?;
        Some(Self::split(rest).ok()?.1)
    }

    /// Splits the parameters from `input`, which begins with their length.
    ///
    /// A first parameter of type 255 marks the extended format; the length before it is ignored unless it is 0 (RFC 9072
    /// section 2).
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

    /// The type and value of the next parameter; `None` if it exceeds the field.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (kind, tail) = self.rest.split_first()?;
        let split = if self.extended { counted_by_two_octets } else { counted_by_octet };
        let (rest, value) = split(tail).ok()?;
        self.rest = rest;
        Some((*kind, value))
    }

    /// The value of the next parameter with capabilities.
    pub(super) fn next_capabilities(&mut self) -> Option<&'a [u8]> {
        loop {
            let (kind, value) = self.next()?;
            if kind == CAPABILITIES {
                return Some(value);
            }
        }
    }
}

/// A capability, borrowed from an OPEN. Unlike [`Capability`], it includes bits without a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "RFC 5492 section 4 has these fields")]
pub struct CapabilityView<'a> {
    /// The code.
    pub code: CapabilityCode,
    /// The value.
    pub value: &'a [u8],
}

impl CapabilityView<'_> {
    /// Decodes the capability.
    #[must_use]
    pub fn read(&self) -> Capability {
        Capability::decode(self.code.0, self.value)
    }
}

/// An iterator over the capabilities of an OPEN in the order sent, not decoded: see [`Frame::capabilities`]. It ends early at
/// a capability that exceeds its parameter, or a parameter that exceeds the message.
///
/// [`Frame::capabilities`]: crate::wire::Frame::capabilities
#[derive(Clone, Debug)]
pub struct CapabilityViews<'a> {
    /// The rest of the current parameter.
    capabilities: &'a [u8],
    /// The parameters after it.
    parameters: OptionalParameters<'a>,
}

impl<'a> CapabilityViews<'a> {
    pub(super) const fn new(parameters: OptionalParameters<'a>) -> Self {
        Self { capabilities: &[], parameters }
    }
}

impl<'a> Iterator for CapabilityViews<'a> {
    type Item = CapabilityView<'a>;

    fn next(&mut self) -> Option<CapabilityView<'a>> {
        loop {
            if let [code, rest @ ..] = self.capabilities {
                let (rest, value) = counted_by_octet(rest).ok()?;
                self.capabilities = rest;
                return Some(CapabilityView { code: CapabilityCode(*code), value });
            }
            self.capabilities = self.parameters.next_capabilities()?;
        }
    }
}

/// Reads the capabilities of all optional parameters. The flag is true if these are in the format of RFC 9072.
fn parameters(input: &[u8]) -> Result<(Vec<Capability>, bool), OpenFault<'_>> {
    let Ok((after, mut parameters)) = OptionalParameters::split(input) else {
        return Err(OpenFault::malformed(input));
    };
    if !after.is_empty() {
        return Err(OpenFault::malformed(after));
    }

    let mut capabilities = Vec::new();
    while !parameters.rest.is_empty() {
        let rest = parameters.rest;
        let Some((kind, value)) = parameters.next() else {
            return Err(OpenFault::malformed(rest));
        };
        if kind != CAPABILITIES {
            return Err(OpenFault { kind: ErrorKind::OpenParameter, rest });
        }
        read_capabilities(value, &mut capabilities)?;
    }
    Ok((capabilities, parameters.extended))
}

/// Reads the capabilities of one parameter.
fn read_capabilities<'a>(
    mut rest: &'a [u8],
    all: &mut Vec<Capability>,
) -> Result<(), OpenFault<'a>> {
    while let [code, tail @ ..] = rest {
        let Ok((next, value)) = counted_by_octet(tail) else {
            return Err(OpenFault::malformed(rest));
        };
        if Capability::is_malformed(*code, value) {
            return Err(OpenFault::malformed(rest));
        }
        all.push(Capability::decode(*code, value));
        rest = next;
    }
    Ok(())
}

/// The AS in the last four-octet capability. RFC 5492 section 4 allows several and leaves the choice open.
fn four_octet_as(capabilities: &[Capability]) -> Option<Asn> {
    capabilities.iter().rev().find_map(|capability| match capability {
        Capability::FourOctetAs(asn) => Some(*asn),
        _ => None,
    })
}

/// The offset in the message of `rest`, which is part of `body`.
fn offset(body: &[u8], rest: &[u8]) -> usize {
    let inside = (rest.as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
    HEADER_LENGTH + inside.min(body.len())
}

/// The offset of the two-octet AS field in the message.
const MY_AS_AT: usize = HEADER_LENGTH + 1;
/// The parameter type for capabilities (RFC 5492 section 4).
const CAPABILITIES: u8 = 2;
/// The parameter type that marks lengths of two octets (RFC 9072 section 2).
const EXTENDED: u8 = 255;
/// The space for capabilities in a message of 4,096 octets: without its fixed part and the lengths of RFC 9072.
const MOST_CAPABILITY_OCTETS: usize = 4_096 - 29 - 6;

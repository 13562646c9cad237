//! Checks of attributes: first by their row of the table in `rules.rs`, then the values that have an inner structure:
//! segments, next hops, TLVs.
//!
//! Treatments are not decided here; see `rules.rs`.

use crate::types::{Afi, AfiSafi, PeerType, Safi};
use crate::wire::context::WireContext;
use crate::wire::error_kind::{ErrorKind, Treatment};
use crate::wire::input::{
    Parsed, counted_by_octet, counted_by_two_octets, four_octets, octet, octets, truncated,
    two_octets,
};
use crate::wire::nlri::{self, AddressWidth};

use super::rules::{AttributeClass, AttributeRule, ROWS};
use super::{AttributeCode, AttributeFlags, Attributes, as_path};

impl AttributeRule {
    /// Checks an attribute: scope, flags, length and value.
    #[inline(never)]
    pub(in crate::wire) fn judge(
        flags: AttributeFlags,
        code: AttributeCode,
        value: &[u8],
        cx: WireContext,
    ) -> Result<(), ErrorKind> {
        Self::of(code).judge_row(flags, code, value, cx)
    }

    /// The same check for a code that the compiler knows, so that it can reduce the row to the checks that apply.
    #[inline(always)]
    #[expect(
        clippy::indexing_slicing,
        reason = "evaluated by the compiler, which would refuse a bad index"
    )]
    pub(in crate::wire) fn judge_as<const CODE: u8>(
        flags: AttributeFlags,
        value: &[u8],
        cx: WireContext,
    ) -> Result<(), ErrorKind> {
        const { ROWS[CODE as usize] }.judge_row(flags, AttributeCode(CODE), value, cx)
    }

    #[inline(always)]
    fn judge_row(
        &self,
        flags: AttributeFlags,
        code: AttributeCode,
        value: &[u8],
        cx: WireContext,
    ) -> Result<(), ErrorKind> {
        if !self.scope.includes(cx) {
            return Err(ErrorKind::UnexpectedAttribute);
        }

        if !self.class.allows(flags) {
            return Err(match self.class {
                AttributeClass::Unknown => ErrorKind::UnknownWellKnown,
                _ => ErrorKind::AttributeFlags,
            });
        }

        if !self.length.allows(value.len(), cx) {
            return Err(ErrorKind::AttributeLength);
        }
        check_value(code, value, cx)
    }
}

/// Checks the value of an attribute whose flags and length are already checked.
#[inline(always)]
fn check_value(code: AttributeCode, value: &[u8], cx: WireContext) -> Result<(), ErrorKind> {
    let is_valid = match code {
        AttributeCode::AS_PATH => {
            let confederation = cx.may_hold_confederation_segments();
            if as_path::is_valid(value, cx.is_four_octet_as(), confederation) {
                return Ok(());
            }
            return Err(ErrorKind::AsPath);
        }
        AttributeCode::ORIGIN => {
            return if matches!(value, [0..=2]) { Ok(()) } else { Err(ErrorKind::Origin) };
        }
        AttributeCode::MP_REACH_NLRI => return mp_reach(value, cx),
        AttributeCode::MP_UNREACH_NLRI => return mp_unreach(value, cx),
        AttributeCode::AGGREGATOR | AttributeCode::AS4_AGGREGATOR => {
            let asn = value.get(..value.len().saturating_sub(4)).unwrap_or_default();
            asn.iter().any(|octet| *octet != 0)
        }
        // Confederation segments do not belong here, but are left out when the path is used (RFC 6793 section 6).
        AttributeCode::AS4_PATH => as_path::is_valid(value, true, true),
        AttributeCode::AIGP => all(value, |input| aigp_tlv(input)),
        AttributeCode::BGP_LS => all(value, |input| {
            let (input, _) = two_octets(input)?;
            counted_by_two_octets(input)
        }),
        AttributeCode::TUNNEL_ENCAPSULATION => all(value, |input| tunnel_tlv(input)),
        AttributeCode::PREFIX_SID => return prefix_sid(value),
        AttributeCode::ATTR_SET => attr_set(value),
        _ => true,
    };

    if is_valid { Ok(()) } else { Err(ErrorKind::AttributeValue) }
}

/// Reads the family and next hop of an MP_REACH_NLRI; the NLRI are the rest of the input (RFC 4760 section 3).
#[inline]
pub(in crate::wire) fn mp_reach_parts(input: &[u8]) -> Parsed<'_, (AfiSafi, &[u8])> {
    let (input, family) = family(input)?;
    let (input, next_hop) = counted_by_octet(input)?;
    let (input, _reserved) = octet(input)?;
    Ok((input, (family, next_hop)))
}

/// Reads an AFI and a SAFI.
#[inline]
pub(super) fn family(input: &[u8]) -> Parsed<'_, AfiSafi> {
    let (input, afi) = two_octets(input)?;
    let (input, safi) = octet(input)?;
    Ok((input, AfiSafi::new(Afi(afi), Safi(safi))))
}

#[inline(always)]
fn mp_reach(value: &[u8], cx: WireContext) -> Result<(), ErrorKind> {
    let (nlri, (family, next_hop)) =
        mp_reach_parts(value).map_err(|_| ErrorKind::AttributeLength)?;
    // Nearly all are of this family, and once the compiler knows the family, little is left to check.
    if family == AfiSafi::IPV6_UNICAST {
        return mp_reach_of(AfiSafi::IPV6_UNICAST, next_hop, nlri, cx);
    }
    mp_reach_of_other(family, next_hop, nlri, cx)
}

#[inline(never)]
fn mp_reach_of_other(
    family: AfiSafi,
    next_hop: &[u8],
    nlri: &[u8],
    cx: WireContext,
) -> Result<(), ErrorKind> {
    mp_reach_of(family, next_hop, nlri, cx)
}

#[inline(always)]
fn mp_reach_of(
    family: AfiSafi,
    next_hop: &[u8],
    nlri: &[u8],
    cx: WireContext,
) -> Result<(), ErrorKind> {
    if !cx.has_family(family) {
        return Ok(());
    }

    let is_valid = match (AddressWidth::of(family), next_hop.len()) {
        (Some(AddressWidth::V4), 4) => true,
        (Some(AddressWidth::V4), 16 | 32) => cx.has_extended_next_hop(),
        (Some(AddressWidth::V6), 16 | 32) => true,
        _ => false,
    };
    if !is_valid {
        return Err(ErrorKind::MpNextHop);
    }
    prefixes(nlri, family, cx)
}

#[inline(always)]
fn mp_unreach(value: &[u8], cx: WireContext) -> Result<(), ErrorKind> {
    let (nlri, family) = family(value).map_err(|_| ErrorKind::AttributeLength)?;
    if family == AfiSafi::IPV6_UNICAST {
        return mp_unreach_of(AfiSafi::IPV6_UNICAST, nlri, cx);
    }
    mp_unreach_of_other(family, nlri, cx)
}

#[inline(never)]
fn mp_unreach_of_other(family: AfiSafi, nlri: &[u8], cx: WireContext) -> Result<(), ErrorKind> {
    mp_unreach_of(family, nlri, cx)
}

#[inline(always)]
fn mp_unreach_of(family: AfiSafi, nlri: &[u8], cx: WireContext) -> Result<(), ErrorKind> {
    if cx.has_family(family) { prefixes(nlri, family, cx) } else { Ok(()) }
}

#[inline(always)]
fn prefixes(field: &[u8], family: AfiSafi, cx: WireContext) -> Result<(), ErrorKind> {
    let Some(width) = AddressWidth::of(family) else { return Ok(()) };
    nlri::check(field, width, cx.has_add_path(family)).map_err(|_| ErrorKind::Prefix)
}

/// Reads a TLV of AIGP (RFC 7311 section 3). Its length counts the header; the AIGP TLV has 11 octets.
fn aigp_tlv(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (input, kind) = octet(input)?;
    let (input, length) = two_octets(input)?;
    match (kind, length) {
        (1, 11) => octets(input, 8),
        (1, _) | (_, 0..=2) => Err(truncated()),
        _ => octets(input, usize::from(length) - 3),
    }
}

/// Reads a tunnel TLV (RFC 9012 section 2). Sub-TLVs of a type below 128 have a length of one octet, the others of two.
fn tunnel_tlv(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (input, _kind) = two_octets(input)?;
    let (input, value) = counted_by_two_octets(input)?;
    let whole = all(value, |input| {
        let (input, kind) = octet(input)?;
        if kind < 128 { counted_by_octet(input) } else { counted_by_two_octets(input) }
    });
    if whole { Ok((input, value)) } else { Err(truncated()) }
}

/// Checks the TLVs of a PREFIX_SID (RFC 8669 section 3, RFC 9252 section 2).
fn prefix_sid(value: &[u8]) -> Result<(), ErrorKind> {
    let mut rest = value;
    while !rest.is_empty() {
        let (next, (kind, tlv)) = sid_tlv(rest).map_err(|_| ErrorKind::AttributeValue)?;
        rest = next;

        match kind {
            // Label-Index: reserved, flags, index.
            1 if tlv.len() != 7 => return Err(ErrorKind::AttributeValue),
            // Originator SRGB: flags and ranges of six octets.
            3 if tlv.len() < 8 || (tlv.len() - 2) % 6 != 0 => {
                return Err(ErrorKind::AttributeValue);
            }
            // SRv6 L3 and L2 services: a reserved octet and sub-TLVs.
            5 | 6 if !srv6_service(tlv) => return Err(ErrorKind::Srv6Service),
            _ => {}
        }
    }
    Ok(())
}

fn srv6_service(tlv: &[u8]) -> bool {
    let Some((_reserved, sub_tlvs)) = tlv.split_first() else { return false };
    all(sub_tlvs, |input| {
        let (input, (kind, sub_tlv)) = sid_tlv(input)?;
        // SRv6 SID Information: 21 octets and sub-sub-TLVs.
        let Some(rest) = sub_tlv.get(21..) else {
            return if kind == 1 { Err(truncated()) } else { Ok((input, sub_tlv)) };
        };
        let whole = kind != 1 || all(rest, |input| sid_tlv(input));
        if whole { Ok((input, sub_tlv)) } else { Err(truncated()) }
    })
}

fn sid_tlv(input: &[u8]) -> Parsed<'_, (u8, &[u8])> {
    let (input, kind) = octet(input)?;
    let (input, value) = counted_by_two_octets(input)?;
    Ok((input, (kind, value)))
}

/// Checks an ATTR_SET (RFC 6368 section 5): an AS number, and the attributes of a customer's route as an internal peer with
/// four-octet AS numbers would send them. A set within a set is not checked.
fn attr_set(value: &[u8]) -> bool {
    let Ok((inner, _asn)) = four_octets(value) else { return false };
    let cx = WireContext::new(PeerType::Internal).four_octet_as(true);
    let mut attributes = Attributes::new(inner);

    for attribute in attributes.by_ref() {
        let code = attribute.code;
        match code {
            AttributeCode::MP_REACH_NLRI | AttributeCode::MP_UNREACH_NLRI => return false,
            AttributeCode::ATTR_SET => continue,
            _ => {}
        }

        if let Err(kind) = AttributeRule::judge(attribute.flags, code, attribute.value, cx) {
            if AttributeRule::of(code).treatment(kind) > Treatment::AttributeDiscard {
                return false;
            }
        }
    }

    // What is left over is an attribute that exceeds the set.
    attributes.as_octets().is_empty()
}

/// Returns true if complete elements fill the input.
fn all<'a, T>(mut input: &'a [u8], one: impl Fn(&'a [u8]) -> Parsed<'a, T>) -> bool {
    while !input.is_empty() {
        match one(input) {
            Ok((rest, _)) => input = rest,
            Err(_) => return false,
        }
    }
    true
}

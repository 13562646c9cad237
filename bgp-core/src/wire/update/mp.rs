//! MP_REACH_NLRI and MP_UNREACH_NLRI: routes of any family (RFC 4760).

use std::net::Ipv6Addr;

use crate::types::{Afi, AfiSafi, Safi};
use crate::wire::attribute::{AttributeCode, mp_reach_parts};
use crate::wire::nlri::Prefixes;
use crate::wire::path_attributes::NextHop;

use super::Update;

/// The routes that an MP_REACH_NLRI announces.
#[derive(Clone, Copy, Debug)]
pub struct MpReach<'a> {
    family: AfiSafi,
    next_hop: &'a [u8],
    nlri: &'a [u8],
    add_path: bool,
}

/// The routes that an MP_UNREACH_NLRI withdraws.
#[derive(Clone, Copy, Debug)]
pub struct MpUnreach<'a> {
    family: AfiSafi,
    nlri: &'a [u8],
    add_path: bool,
}

impl<'a> MpReach<'a> {
    /// The family of the routes.
    #[must_use]
    pub const fn family(&self) -> AfiSafi {
        self.family
    }

    /// The next hop, in any form that RFC 2545, 4364, 4659 or 8950 allow; `None` in any other form.
    ///
    /// A route distinguisher before the address is skipped.
    #[must_use]
    pub fn next_hop(&self) -> Option<NextHop> {
        let octets = match (self.family.safi, self.next_hop.len()) {
            // VPN families put eight octets before each address.
            (Safi::VPN_UNICAST, 12 | 24) => self.next_hop.get(8..)?,
            (Safi::VPN_UNICAST, 48) => {
                let global = address(self.next_hop.get(8..24)?)?;
                let link_local = address(self.next_hop.get(32..)?);
                return Some(NextHop::V6 { global, link_local });
            }
            _ => self.next_hop,
        };

        match octets.len() {
            4 => <[u8; 4]>::try_from(octets).ok().map(|octets| NextHop::V4(octets.into())),
            16 => address(octets).map(|global| NextHop::V6 { global, link_local: None }),
            32 => {
                let (global, link_local) = octets.split_at_checked(16)?;
                Some(NextHop::V6 { global: address(global)?, link_local: address(link_local) })
            }
            _ => None,
        }
    }

    /// The next hop as received.
    #[must_use]
    pub const fn next_hop_octets(&self) -> &'a [u8] {
        self.next_hop
    }

    /// The prefixes; none if the family is carried as octets.
    #[inline]
    #[must_use]
    pub const fn nlri(&self) -> Prefixes<'a> {
        Prefixes::new(self.family, self.nlri, self.add_path)
    }

    /// The NLRI as received.
    #[must_use]
    pub const fn nlri_octets(&self) -> &'a [u8] {
        self.nlri
    }
}

impl<'a> MpUnreach<'a> {
    /// The family of the routes.
    #[must_use]
    pub const fn family(&self) -> AfiSafi {
        self.family
    }

    /// The prefixes; none if the family is carried as octets.
    #[inline]
    #[must_use]
    pub const fn nlri(&self) -> Prefixes<'a> {
        Prefixes::new(self.family, self.nlri, self.add_path)
    }

    /// The NLRI as received.
    #[must_use]
    pub const fn nlri_octets(&self) -> &'a [u8] {
        self.nlri
    }
}

impl<'a> Update<'a> {
    /// MP_REACH_NLRI, regardless of the treatment.
    ///
    /// The NLRI of a family that was not negotiated are not checked: they end at the first invalid prefix.
    #[inline]
    #[must_use]
    pub fn mp_reach(&self) -> Option<MpReach<'a>> {
        let value = self.value(AttributeCode::MP_REACH_NLRI)?;
        let (nlri, (family, next_hop)) = mp_reach_parts(value).ok()?;
        Some(MpReach { family, next_hop, nlri, add_path: self.metadata.cx.has_add_path(family) })
    }

    /// MP_UNREACH_NLRI; see [`mp_reach`](Self::mp_reach).
    #[inline]
    #[must_use]
    pub fn mp_unreach(&self) -> Option<MpUnreach<'a>> {
        let value = self.value(AttributeCode::MP_UNREACH_NLRI)?;
        let (family, nlri) = (family(value)?, value.get(3..)?);
        Some(MpUnreach { family, nlri, add_path: self.metadata.cx.has_add_path(family) })
    }
}

/// The family of the MP attribute at offset `at`, if its value has enough octets.
pub(super) fn family_at(attributes: &[u8], at: usize) -> Option<AfiSafi> {
    let [flags, _, rest @ ..] = attributes.get(at..)? else { return None };
    let length = if flags & 0x10 == 0 { 1 } else { 2 };
    family(rest.get(length..)?)
}

/// The AFI and SAFI at the start of `octets`.
#[inline]
fn family(octets: &[u8]) -> Option<AfiSafi> {
    let [high, low, safi, ..] = octets else { return None };
    Some(AfiSafi::new(Afi(u16::from_be_bytes([*high, *low])), Safi(*safi)))
}

fn address(octets: &[u8]) -> Option<Ipv6Addr> {
    <[u8; 16]>::try_from(octets).ok().map(Ipv6Addr::from)
}

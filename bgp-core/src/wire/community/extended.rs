//! Extended communities: eight octets, where the first two define the format of the rest.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::types::Asn;

use super::ParseCommunityError;

/// An extended community (RFC 4360).
///
/// Common types have names in text: `rt:65000:1` (route target), `soo:10.0.0.1:7` (site of origin), `color:100`, `encap:8`
/// (tunnel type), `bw:65000:1250000` (link bandwidth in octets per second). A four-octet AS that would fit two octets has an
/// `L`: `rt:65000L:1`. All others print as `ext:` with sixteen hexadecimal digits. The names that other speakers use are
/// accepted as well: `target:`, `ro:`, `origin:`, `lb:` and `bandwidth:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedCommunity(pub [u8; 8]);

/// The administrator of a route target or a site of origin. Its type determines the number of octets of the value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Administrator {
    TwoOctetAs(u16),
    Ipv4(Ipv4Addr),
    FourOctetAs(u32),
}

impl ExtendedCommunity {
    /// A route target of an AS.
    ///
    /// An AS that fits two octets uses the two-octet format, with a value of four octets; any other uses the four-octet format
    /// (RFC 5668), with a value of two octets. `None` if the value does not fit.
    #[must_use]
    pub fn route_target(asn: Asn, value: u32) -> Option<Self> {
        Self::of_as(ROUTE_TARGET, asn, value)
    }

    /// A site of origin; see [`route_target`](Self::route_target).
    #[must_use]
    pub fn site_of_origin(asn: Asn, value: u32) -> Option<Self> {
        Self::of_as(SITE_OF_ORIGIN, asn, value)
    }

    /// A link bandwidth in octets per second, non-transitive as most speakers send it.
    #[must_use]
    pub const fn link_bandwidth(asn: u16, octets_per_second: f32) -> Self {
        let [a, b] = asn.to_be_bytes();
        let [c, d, e, f] = octets_per_second.to_be_bytes();
        Self([NON_TRANSITIVE, LINK_BANDWIDTH, a, b, c, d, e, f])
    }

    /// A color with all flags zero (RFC 9012 section 4.3).
    #[must_use]
    pub const fn color(color: u32) -> Self {
        let [a, b, c, d] = color.to_be_bytes();
        Self([OPAQUE, COLOR, 0, 0, a, b, c, d])
    }

    /// The type of the tunnel to use (RFC 9012 section 4.1).
    #[must_use]
    pub const fn encapsulation(tunnel_type: u16) -> Self {
        let [a, b] = tunnel_type.to_be_bytes();
        Self([OPAQUE, ENCAPSULATION, 0, 0, 0, 0, a, b])
    }

    /// Returns true if the community is passed on between ASes.
    #[must_use]
    pub const fn is_transitive(self) -> bool {
        self.0[0] & NON_TRANSITIVE == 0
    }

    /// The AS and the octets per second, if the community is a link bandwidth.
    #[must_use]
    pub const fn as_link_bandwidth(self) -> Option<(u16, f32)> {
        let [kind, subtype, a, b, c, d, e, f] = self.0;
        if kind & !NON_TRANSITIVE != 0 || subtype != LINK_BANDWIDTH {
            return None;
        }
        Some((u16::from_be_bytes([a, b]), f32::from_be_bytes([c, d, e, f])))
    }

    fn of_as(subtype: u8, asn: Asn, value: u32) -> Option<Self> {
        match u16::try_from(asn.0) {
            Ok(asn) => Self::assemble(subtype, Administrator::TwoOctetAs(asn), value),
            Err(_) => Self::assemble(subtype, Administrator::FourOctetAs(asn.0), value),
        }
    }

    fn assemble(subtype: u8, administrator: Administrator, value: u32) -> Option<Self> {
        let (kind, wide) = match administrator {
            Administrator::TwoOctetAs(asn) => {
                let [a, b] = asn.to_be_bytes();
                let [c, d, e, f] = value.to_be_bytes();
                return Some(Self([TWO_OCTET_AS, subtype, a, b, c, d, e, f]));
            }
            Administrator::Ipv4(address) => (IPV4, address.octets()),
            Administrator::FourOctetAs(asn) => (FOUR_OCTET_AS, asn.to_be_bytes()),
        };

        let [a, b, c, d] = wide;
        let [e, f] = u16::try_from(value).ok()?.to_be_bytes();
        Some(Self([kind, subtype, a, b, c, d, e, f]))
    }

    fn administrator(self) -> Option<(Administrator, u32)> {
        let [kind, _, a, b, c, d, e, f] = self.0;
        let narrow = u16::from_be_bytes([e, f]).into();
        Some(match kind {
            TWO_OCTET_AS => {
                let asn = u16::from_be_bytes([a, b]);
                (Administrator::TwoOctetAs(asn), u32::from_be_bytes([c, d, e, f]))
            }
            IPV4 => (Administrator::Ipv4([a, b, c, d].into()), narrow),
            FOUR_OCTET_AS => (Administrator::FourOctetAs(u32::from_be_bytes([a, b, c, d])), narrow),
            _ => return None,
        })
    }
}

impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, subtype, rest @ ..] = self.0;
        let word = match subtype {
            ROUTE_TARGET => "rt",
            SITE_OF_ORIGIN => "soo",
            _ => "",
        };
        match self.administrator() {
            Some((administrator, value)) if !word.is_empty() => {
                return write!(f, "{word}:{administrator}:{value}");
            }
            _ => {}
        }

        if let ([OPAQUE, COLOR], [0, 0, a, b, c, d]) = ([kind, subtype], rest) {
            return write!(f, "color:{}", u32::from_be_bytes([a, b, c, d]));
        }
        if let ([OPAQUE, ENCAPSULATION], [0, 0, 0, 0, a, b]) = ([kind, subtype], rest) {
            return write!(f, "encap:{}", u16::from_be_bytes([a, b]));
        }

        match self.as_link_bandwidth() {
            // Transitive ones and invalid rates print as octets, so that the text reads back to the same value.
            Some((asn, rate)) if kind == NON_TRANSITIVE && is_valid_rate(rate) => {
                write!(f, "bw:{asn}:{rate}")
            }
            _ => write!(f, "ext:{:016x}", u64::from_be_bytes(self.0)),
        }
    }
}

impl fmt::Display for Administrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoOctetAs(asn) => write!(f, "{asn}"),
            Self::Ipv4(address) => write!(f, "{address}"),
            Self::FourOctetAs(asn) if *asn > 0xffff => write!(f, "{asn}"),
            Self::FourOctetAs(asn) => write!(f, "{asn}L"),
        }
    }
}

impl FromStr for Administrator {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some(asn) = text.strip_suffix('L') {
            return asn.parse().map(Self::FourOctetAs).map_err(|_| ());
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Ipv4(address));
        }
        let asn: u32 = text.parse().map_err(|_| ())?;
        Ok(u16::try_from(asn).map_or(Self::FourOctetAs(asn), Self::TwoOctetAs))
    }
}

impl FromStr for ExtendedCommunity {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "an extended community such as `rt:65000:1`";
        Self::parse(text).ok_or(ParseCommunityError(expected))
    }
}

impl ExtendedCommunity {
    fn parse(text: &str) -> Option<Self> {
        let (word, rest) = text.split_once(':')?;
        let subtype = match word {
            "rt" | "target" => ROUTE_TARGET,
            "soo" | "ro" | "origin" => SITE_OF_ORIGIN,
            "color" => return rest.parse().ok().map(Self::color),
            "encap" => return rest.parse().ok().map(Self::encapsulation),
            "bw" | "lb" | "bandwidth" => return Self::parse_link_bandwidth(rest),
            "ext" => return Self::parse_digits(rest),
            _ => return None,
        };

        let (administrator, value) = rest.rsplit_once(':')?;
        Self::assemble(subtype, administrator.parse().ok()?, value.parse().ok()?)
    }

    fn parse_link_bandwidth(text: &str) -> Option<Self> {
        let (asn, rate) = text.rsplit_once(':')?;
        let rate: f32 = rate.parse().ok()?;
        if !is_valid_rate(rate) {
            return None;
        }
        Some(Self::link_bandwidth(asn.parse().ok()?, rate))
    }

    /// Parses all eight octets, as sixteen hexadecimal digits.
    fn parse_digits(text: &str) -> Option<Self> {
        if text.len() != 16 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(|octets| Self(octets.to_be_bytes()))
    }
}

/// Returns true if a number is a possible link bandwidth.
fn is_valid_rate(rate: f32) -> bool {
    rate.is_finite() && !rate.is_sign_negative()
}

/// An IPv6-address-specific extended community (RFC 5701).
///
/// The text format of route targets and sites of origin is `rt:[2001:db8::1]:7`, and `ext6:` with forty hexadecimal digits
/// for all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ipv6ExtendedCommunity(pub [u8; 20]);

impl Ipv6ExtendedCommunity {
    /// A route target of an address.
    #[must_use]
    pub fn route_target(address: Ipv6Addr, value: u16) -> Self {
        Self::assemble(ROUTE_TARGET, address, value)
    }

    fn assemble(subtype: u8, address: Ipv6Addr, value: u16) -> Self {
        let mut octets = [0; 20];
        let parts = [0, subtype].into_iter().chain(address.octets()).chain(value.to_be_bytes());
        for (octet, part) in octets.iter_mut().zip(parts) {
            *octet = part;
        }
        Self(octets)
    }
}

impl fmt::Display for Ipv6ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, subtype, address @ .., high, low] = self.0;
        let word = match (kind, subtype) {
            (0, ROUTE_TARGET) => "rt",
            (0, SITE_OF_ORIGIN) => "soo",
            _ => {
                f.write_str("ext6:")?;
                return self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"));
            }
        };
        write!(f, "{word}:[{}]:{}", Ipv6Addr::from(address), u16::from_be_bytes([high, low]))
    }
}

impl FromStr for Ipv6ExtendedCommunity {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "an extended community such as `rt:[2001:db8::1]:7`";
        Self::parse(text).ok_or(ParseCommunityError(expected))
    }
}

impl Ipv6ExtendedCommunity {
    fn parse(text: &str) -> Option<Self> {
        let (word, rest) = text.split_once(':')?;
        let subtype = match word {
            "rt" | "target" => ROUTE_TARGET,
            "soo" | "ro" | "origin" => SITE_OF_ORIGIN,
            "ext6" => return Self::parse_digits(rest),
            _ => return None,
        };

        let (address, value) = rest.strip_prefix('[')?.split_once("]:")?;
        Some(Self::assemble(subtype, address.parse().ok()?, value.parse().ok()?))
    }

    /// Parses all twenty octets, as forty hexadecimal digits.
    fn parse_digits(text: &str) -> Option<Self> {
        if text.len() != 40 {
            return None;
        }

        let mut octets = [0; 20];
        for (octet, pair) in octets.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let [high, low] = pair else { return None };
            let high = char::from(*high).to_digit(16)?;
            let low = char::from(*low).to_digit(16)?;
            *octet = u8::try_from(high << 4 | low).ok()?;
        }
        Some(Self(octets))
    }
}

/// The first octet, the type (RFC 4360 section 3, RFC 5668).
const TWO_OCTET_AS: u8 = 0x00;
const IPV4: u8 = 0x01;
const FOUR_OCTET_AS: u8 = 0x02;
const OPAQUE: u8 = 0x03;
const NON_TRANSITIVE: u8 = 0x40;
/// The second octet, the subtype.
const ROUTE_TARGET: u8 = 0x02;
const SITE_OF_ORIGIN: u8 = 0x03;
const LINK_BANDWIDTH: u8 = 0x04;
const COLOR: u8 = 0x0b;
const ENCAPSULATION: u8 = 0x0c;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_communities_print_by_name_and_read_back() {
        for (octets, text) in [
            ([0, 2, 0xfd, 0xe8, 0, 0, 0, 1], "rt:65000:1"),
            ([1, 2, 10, 0, 0, 1, 0, 7], "rt:10.0.0.1:7"),
            ([2, 3, 0xfa, 0x56, 0xea, 0, 0, 9], "soo:4200000000:9"),
            ([2, 2, 0, 0, 0xfd, 0xe8, 0, 1], "rt:65000L:1"),
            ([3, 0x0b, 0, 0, 0, 0, 0, 100], "color:100"),
            ([3, 0x0b, 0x40, 0, 0, 0, 0, 100], "ext:030b400000000064"),
            ([0x40, 4, 0xfd, 0xe8, 0x49, 0x98, 0x96, 0x80], "bw:65000:1250000"),
            ([3, 0x0c, 0, 0, 0, 0, 0, 8], "encap:8"),
            ([0x40, 4, 0, 1, 0x7f, 0xc0, 0, 0], "ext:400400017fc00000"),
            ([6, 0, 1, 2, 3, 4, 5, 6], "ext:0600010203040506"),
        ] {
            assert_eq!(ExtendedCommunity(octets).to_string(), text);
            assert_eq!(text.parse(), Ok(ExtendedCommunity(octets)), "{text}");
        }
    }

    #[test]
    fn the_formats_of_other_speakers_are_read() {
        for (theirs, ours) in [
            ("target:65000:1", "rt:65000:1"),
            ("ro:65000:1", "soo:65000:1"),
            ("origin:10.0.0.1:1", "soo:10.0.0.1:1"),
            ("lb:65000:1250000", "bw:65000:1250000"),
            ("bandwidth:65000:1.25e6", "bw:65000:1250000"),
        ] {
            let read = theirs.parse::<ExtendedCommunity>().map(|community| community.to_string());
            assert_eq!(read, Ok(ours.to_owned()));
        }
    }

    #[test]
    fn a_route_target_uses_the_format_that_fits_its_value() {
        let two = ExtendedCommunity::route_target(Asn(65_000), 70_000);
        assert_eq!(two.map(|community| community.0[0]), Some(0));
        assert_eq!(ExtendedCommunity::route_target(Asn(70_000), 70_000), None);
        for wrong in
            ["rt:65000", "rt:70000:70000", "rt:10.0.0.1:65536", "ext:12", "x:1:2", "color:"]
        {
            assert!(wrong.parse::<ExtendedCommunity>().is_err(), "{wrong}");
        }
        assert!(!ExtendedCommunity::link_bandwidth(1, 1.0).is_transitive());
    }

    #[test]
    fn ipv6_communities_put_the_address_in_brackets() {
        let target = Ipv6ExtendedCommunity::route_target("2001:db8::1".parse().unwrap(), 7);
        assert_eq!(target.to_string(), "rt:[2001:db8::1]:7");
        assert_eq!("rt:[2001:db8::1]:7".parse(), Ok(target));
        let other = Ipv6ExtendedCommunity([0x40; 20]);
        assert_eq!(other.to_string(), format!("ext6:{}", "40".repeat(20)));
        assert_eq!(other.to_string().parse(), Ok(other));
    }
}

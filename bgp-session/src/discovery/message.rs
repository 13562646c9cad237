//! [`NdMessage`]: the two messages of neighbour discovery that we use (RFC 4861 section 4), and the checks of section 6.1.

use std::net::Ipv6Addr;

/// A message of neighbour discovery (RFC 4861) by which the two ends of a link find each other.
///
/// [`InterfacePeer`](crate::InterfacePeer) sends and reads them. They are public for programs that have a socket of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "no other message finds a router")]
pub enum NdMessage {
    /// Asks the routers on the link to advertise themselves.
    Solicitation,
    /// Announces that the sender is a router.
    Advertisement,
}

impl NdMessage {
    /// Reads an ICMPv6 message, whose checksum the system has verified. `None`: another message, or one that must be
    /// ignored.
    pub fn decode(octets: &[u8], hop_limit: u8, source: Ipv6Addr) -> Option<Self> {
        let (&kind, code) = (octets.first()?, *octets.get(1)?);
        // From the link: a router would have decremented the hop limit.
        if hop_limit != 255 || code != 0 {
            return None;
        }

        match kind {
            SOLICITATION => {
                // A sender without an address has no link-layer address to tell (section 6.1.1).
                let forbidden = source.is_unspecified().then_some(SOURCE_LINK_LAYER_ADDRESS);
                let is_valid = well_formed(octets.get(8..)?, forbidden);
                is_valid.then_some(Self::Solicitation)
            }
            ADVERTISEMENT => {
                let is_valid =
                    source.is_unicast_link_local() && well_formed(octets.get(16..)?, None);
                is_valid.then_some(Self::Advertisement)
            }
            _ => None,
        }
    }

    /// The message as octets; the system writes the checksum.
    pub fn encode(self) -> Vec<u8> {
        match self {
            Self::Solicitation => vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0],
            // No hop limit to propose, no flags, a router lifetime of 0, and no times.
            Self::Advertisement => {
                let mut octets = vec![0; 16];
                octets[0] = ADVERTISEMENT;
                octets
            }
        }
    }
}

/// Returns true if every option has a length, in units of eight octets, that fits, and none is of the forbidden type.
fn well_formed(mut options: &[u8], forbidden: Option<u8>) -> bool {
    while let [kind, units, ..] = *options {
        match options.get(usize::from(units) * 8..) {
            Some(rest) if units > 0 && Some(kind) != forbidden => options = rest,
            _ => return false,
        }
    }
    options.is_empty()
}

pub(super) const SOLICITATION: u8 = 133;
pub(super) const ADVERTISEMENT: u8 = 134;
/// The option with the sender's own link-layer address.
const SOURCE_LINK_LAYER_ADDRESS: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    const NEIGHBOR: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

    #[test]
    fn both_messages_survive_the_wire() {
        for message in [NdMessage::Solicitation, NdMessage::Advertisement] {
            assert_eq!(NdMessage::decode(&message.encode(), 255, NEIGHBOR), Some(message));
        }
        assert_eq!(NdMessage::Advertisement.encode()[6..8], [0, 0], "no host's default router");
    }

    #[test]
    fn a_message_that_may_come_from_elsewhere_is_ignored() {
        let octets = NdMessage::Advertisement.encode();
        assert_eq!(NdMessage::decode(&octets, 254, NEIGHBOR), None);
        let global = "2001:db8::1".parse().unwrap();
        assert_eq!(NdMessage::decode(&octets, 255, global), None);
        let other_code = [&[ADVERTISEMENT, 1][..], &octets[2..]].concat();
        assert_eq!(NdMessage::decode(&other_code, 255, NEIGHBOR), None);
        for length in 0..16 {
            assert_eq!(NdMessage::decode(&octets[..length], 255, NEIGHBOR), None);
        }
    }

    #[test]
    fn options_without_a_length_or_beyond_the_end_are_ignored() {
        let with = |options: &[u8]| {
            let octets = [&NdMessage::Advertisement.encode()[..], options].concat();
            NdMessage::decode(&octets, 255, NEIGHBOR)
        };
        assert_eq!(with(&[1, 1, 2, 0, 0, 0, 0, 9]), Some(NdMessage::Advertisement));
        assert_eq!(with(&[1, 0, 2, 0, 0, 0, 0, 9]), None);
        assert_eq!(with(&[1, 2, 2, 0, 0, 0, 0, 9]), None);
        assert_eq!(with(&[1]), None);
    }

    #[test]
    fn the_content_of_an_option_is_not_read() {
        let with = |options: &[&[u8]]| {
            let octets = [&NdMessage::Advertisement.encode()[..], &options.concat()].concat();
            NdMessage::decode(&octets, 255, NEIGHBOR)
        };

        // A DNS search list (RFC 8106 section 5.2): type, length, two reserved octets, lifetime, domain names.
        let search_list =
            |units: u8, names: &[u8; 8]| [&[31, units, 0, 0, 0, 0, 7, 8], &names[..]].concat();
        let good = search_list(2, b"\x03lab\x00\x00\x00\x00");
        assert_eq!(with(&[&good, &good]), Some(NdMessage::Advertisement));
        for names in [
            // A label that exceeds the option, one that exceeds any name, a pointer, and a name that does not end.
            b"\x3faaaaaaa",
            b"\x06aaaaaa\xff",
            b"\xc0\x08aaaaaa",
            b"\x07aaaaaaa",
        ] {
            let option = search_list(2, names);
            assert_eq!(with(&[&option]), Some(NdMessage::Advertisement), "{option:02x?}");
            assert_eq!(with(&[&option, &good]), Some(NdMessage::Advertisement), "{option:02x?}");
        }
        let no_name = [31, 1, 0, 0, 0, 0, 7, 8];
        assert_eq!(with(&[&no_name]), Some(NdMessage::Advertisement));

        for units in [0, 3, 255] {
            let option = search_list(units, b"\x03lab\x00\x00\x00\x00");
            assert_eq!(with(&[&option]), None, "the option has 16 octets, and not 8 times {units}");
        }
    }

    #[test]
    fn a_solicitation_without_a_source_has_no_link_layer_address() {
        let octets = [&NdMessage::Solicitation.encode()[..], &[1, 1, 2, 0, 0, 0, 0, 9]].concat();
        assert_eq!(NdMessage::decode(&octets, 255, NEIGHBOR), Some(NdMessage::Solicitation));
        assert_eq!(NdMessage::decode(&octets, 255, Ipv6Addr::UNSPECIFIED), None);
        let bare = NdMessage::Solicitation.encode();
        let bare = NdMessage::decode(&bare, 255, Ipv6Addr::UNSPECIFIED);
        assert_eq!(bare, Some(NdMessage::Solicitation));
    }
}

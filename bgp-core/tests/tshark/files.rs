//! The captures, with their expected messages and errors.

use bgp_core::PeerType;
use bgp_core::wire::WireContext;

use super::session::Negotiated;

/// A capture and its expected content.
pub(crate) struct File {
    pub(crate) name: &'static str,
    /// The numbers of OPENs, UPDATEs, NOTIFICATIONs, KEEPALIVEs and ROUTE-REFRESHes.
    pub(crate) counts: [usize; 5],
    pub(crate) negotiated: Negotiated,
    /// The TCP payload octets after the last complete message.
    pub(crate) left_over: usize,
    /// tshark's complaints about messages.
    pub(crate) complaints: &'static [&'static str],
}

impl File {
    const fn new(name: &'static str, counts: [usize; 5]) -> Self {
        Self { name, counts, negotiated: Negotiated::InTheCapture, left_over: 0, complaints: &[] }
    }

    const fn negotiated(mut self, negotiated: Negotiated) -> Self {
        self.negotiated = negotiated;
        self
    }

    const fn left_over(mut self, octets: usize) -> Self {
        self.left_over = octets;
        self
    }

    const fn complaints(mut self, complaints: &'static [&'static str]) -> Self {
        self.complaints = complaints;
        self
    }
}

/// The captures by name. The numbers of messages are those in the description of the data, if it has them; for other files,
/// `left_over` shows that no message was skipped.
pub(crate) const FILES: [File; 21] = [
    File::new("netgauze-multiple-sessions.pcap", [20, 100, 0, 171, 0]),
    File::new("packetlife-16-bit-asn.cap", [2, 14, 0, 8, 0]),
    File::new("packetlife-4-byte_AS_numbers_Full_Support.cap", [2, 9, 0, 5, 0]),
    // One side only has two-octet AS numbers: paths have AS_TRANS, with an AS4_PATH.
    File::new("packetlife-4-byte_AS_numbers_Mixed_Scenario.cap", [0, 2, 0, 2, 0])
        .negotiated(Negotiated::Unseen(WireContext::new(PeerType::External))),
    File::new("packetlife-BGP_AS_set.cap", [2, 1, 0, 7, 0]),
    File::new("packetlife-BGP_MD5.cap", [2, 0, 0, 8, 0]),
    File::new("packetlife-BGP_MP_NLRI.cap", [4, 4, 0, 16, 0]),
    File::new("packetlife-BGP_hard_reset.cap", [2, 12, 0, 12, 0]),
    File::new("packetlife-BGP_notification.cap", [1, 0, 1, 0, 0]),
    // VPN routes between the two ends of a provider, twice the same UPDATE. The path is empty, so it does not show the width
    // of AS numbers.
    File::new("packetlife-BGP_redist.cap", [0, 2, 0, 0, 0])
        .negotiated(Negotiated::Unseen(WireContext::new(PeerType::Internal))),
    // A later part of the session of the hard reset.
    File::new("packetlife-BGP_soft_reset.cap", [0, 12, 0, 8, 1])
        .negotiated(Negotiated::In("packetlife-BGP_hard_reset.cap")),
    File::new("packetlife-EBGP_adjacency.cap", [2, 12, 0, 12, 0]),
    File::new("packetlife-IBGP_adjacency.cap", [2, 14, 0, 8, 0]),
    File::new("packetlife-bgp-add-path.cap", [2, 4, 0, 4, 2]),
    File::new("pmacct-300-ipv6-cisco-ext-nexthop.pcap", [1, 45, 0, 1, 0])
        .negotiated(Negotiated::OneSided),
    // The capture ends within a message.
    File::new("pmacct-302-a.pcap", [1, 24, 0, 1, 0]).negotiated(Negotiated::OneSided).left_over(43),
    File::new("pmacct-302-c.pcap", [1, 8, 0, 1, 0]).negotiated(Negotiated::OneSided),
    File::new("pmacct-305-opens.pcap", [8, 0, 0, 0, 0]).negotiated(Negotiated::OneSided),
    File::new("pmacct-305-updates-keepalives.pcap", [0, 416, 0, 32, 0])
        .negotiated(Negotiated::In("pmacct-305-opens.pcap")),
    File::new("tcpdump-bgp-4byte-asn.pcap", [8, 10, 1, 16, 0]).complaints(&[
        "packet 6: Graceful Restart Capability supported in Helper mode only",
        "packet 28: Graceful Restart Capability supported in Helper mode only",
        "packet 44: Graceful Restart Capability supported in Helper mode only",
        "packet 69: Graceful Restart Capability supported in Helper mode only",
    ]),
    File::new("tcpdump-bgp-extended-msg.pcapng", [1, 0, 0, 0, 0])
        .negotiated(Negotiated::OneSided)
        .complaints(&["packet 1: Graceful Restart Capability supported in Helper mode only"]),
];

/// Messages with errors by file and packet, with the verdict of this crate. There are none: this crate accepts all messages,
/// and tshark reports none as malformed.
pub(crate) const KNOWN_BAD: [(&str, &str); 0] = [];

/// The number of compared lines of each kind in all files, to show the coverage. The numbers of messages, attributes and
/// capabilities are the same as in a simple walk over the octets.
pub(crate) const COVERED: &[(&str, usize)] = &[
    ("type 1", 61),
    ("type 2", 689),
    ("type 3", 2),
    ("type 4", 312),
    ("type 5", 3),
    ("capability 1", 78),
    ("capability 2", 57),
    ("capability 5", 10),
    ("capability 6", 1),
    ("capability 64", 19),
    ("capability 65", 38),
    ("capability 69", 11),
    ("capability 70", 4),
    ("capability 73", 1),
    ("capability 128", 53),
    ("capability 131", 2),
    ("attribute 1", 638),
    ("attribute 2", 638),
    ("attribute 3", 125),
    ("attribute 4", 190),
    ("attribute 5", 108),
    ("attribute 7", 1),
    ("attribute 8", 401),
    ("attribute 9", 2),
    ("attribute 10", 2),
    ("attribute 14", 513),
    ("attribute 15", 30),
    ("attribute 16", 471),
    ("attribute 17", 6),
    ("attribute 32", 132),
    ("attribute 40", 194),
    ("aggregator", 1),
    ("as", 38),
    ("attributes", 689),
    ("cluster", 2),
    ("community", 1862),
    ("error", 2),
    ("ext", 6),
    ("family", 693),
    ("host", 1),
    ("large", 396),
    ("local", 108),
    ("med", 190),
    ("next", 638),
    ("nlri", 253),
    ("octets", 249),
    ("origin", 638),
    ("originator", 2),
    ("reach", 541),
    ("restart", 19),
    ("rt", 501),
    ("segment", 555),
    ("version", 61),
    ("withdrawn", 19),
];

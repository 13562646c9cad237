//! Other crates by their public APIs, used as documented. They visit the same values as the walker; the comparison of the
//! tallies shows the values that they lack.

mod bgpkit;
mod netgauze;
mod routecore;
mod rustbgpd;
mod zettabgp;

use super::Decoder;

/// All decoders of other crates.
pub(super) const ALL: [Decoder; 5] = [
    Decoder::new("routecore", routecore::pass),
    Decoder {
        full_pass: netgauze::pass::<true>,
        ..Decoder::new("netgauze-bgp-pkt", netgauze::pass::<false>)
    },
    Decoder::new("zettabgp", zettabgp::pass),
    Decoder::new("rustbgpd-wire", rustbgpd::pass),
    Decoder {
        full_pass: bgpkit::pass::<true>,
        ..Decoder::new("bgpkit-parser", bgpkit::pass::<false>)
    },
];

//! Other crates by their public APIs, each as its documentation has it. They are asked for all that the walker sees; in
//! what they cannot say it, the comparison of what was seen tells.

mod bgpkit;
mod netgauze;
mod routecore;
mod rustbgpd;
mod zettabgp;

use super::Decoder;

/// All of them.
pub(super) const ALL: [Decoder; 5] = [
    Decoder::new("routecore", routecore::pass),
    Decoder {
        sees: netgauze::pass::<true>,
        ..Decoder::new("netgauze-bgp-pkt", netgauze::pass::<false>)
    },
    Decoder::new("zettabgp", zettabgp::pass),
    Decoder::new("rustbgpd-wire", rustbgpd::pass),
    Decoder { sees: bgpkit::pass::<true>, ..Decoder::new("bgpkit-parser", bgpkit::pass::<false>) },
];

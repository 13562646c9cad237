//! The decoders to compare. Each makes a pass over a stream and visits every prefix, hop and community.

mod ours;
#[cfg(feature = "peers")]
mod peers;
mod walker;

use crate::streams::Stream;
use crate::tally::Tally;

/// A way to decode a stream.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Decoder {
    /// The name in the table.
    pub name: &'static str,
    /// Decodes all messages and returns a tally of the values.
    pub pass: fn(&Stream) -> Tally,
    /// Does the same for the comparison of tallies. It is not measured, and may convert values that the decoder has in
    /// another form.
    pub full_pass: fn(&Stream) -> Tally,
    /// True if the decoder visits all values.
    pub visits: bool,
}

impl Decoder {
    const fn new(name: &'static str, pass: fn(&Stream) -> Tally) -> Self {
        Self { name, pass, full_pass: pass, visits: true }
    }
}

/// All decoders; the first is the walker, the reference for the others.
#[must_use]
pub fn all() -> Vec<Decoder> {
    let mut all = vec![
        Decoder::new("walker", walker::pass),
        Decoder::new("bgp-core, view", ours::view),
        Decoder::new("bgp-core, owned", ours::owned),
        Decoder::new("bgp-core, owned, memory reused", ours::replaced),
        Decoder { visits: false, ..Decoder::new("allocate, copy, free", walker::copies) },
        Decoder { visits: false, ..Decoder::new("bgp-core, decode only", ours::decode_only) },
        Decoder::new("bgp-core, PathAttributes", ours::path_attributes),
    ];
    #[cfg(feature = "peers")]
    all.extend(peers::ALL);
    all.shrink_to_fit();
    all
}

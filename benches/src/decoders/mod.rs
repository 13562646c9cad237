//! The decoders that are compared. Each passes over a whole stream and visits every prefix, hop and community.

mod ours;
#[cfg(feature = "peers")]
mod peers;
mod walker;

use crate::seen::Seen;
use crate::streams::Stream;

/// A way to decode a stream.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Decoder {
    /// What it is called in the table.
    pub name: &'static str,
    /// Decodes all messages and says what it saw.
    pub pass: fn(&Stream) -> Seen,
    /// The same for the comparison of what was seen: not measured, so that it may take the time to put values together that
    /// the decoder has in another form.
    pub sees: fn(&Stream) -> Seen,
    /// It is to visit everything.
    pub visits: bool,
}

impl Decoder {
    const fn new(name: &'static str, pass: fn(&Stream) -> Seen) -> Self {
        Self { name, pass, sees: pass, visits: true }
    }
}

/// All of them; first the walker, which the others are measured by.
#[must_use]
pub fn all() -> Vec<Decoder> {
    let mut all = vec![
        Decoder::new("walker", walker::pass),
        Decoder::new("bgp-core, view", ours::view),
        Decoder::new("bgp-core, owned", ours::owned),
        Decoder { visits: false, ..Decoder::new("bgp-core, decode only", ours::decode_only) },
        Decoder::new("bgp-core, PathAttributes", ours::path_attributes),
    ];
    #[cfg(feature = "peers")]
    all.extend(peers::ALL);
    all.shrink_to_fit();
    all
}

//! What is decoded: whole UPDATEs one after the other, as they come out of a socket.

mod generated;
mod recorded;

use std::path::Path;

use bgp_core::wire::WireContext;
use bgp_core::{AfiSafi, PeerType};
use bytes::Bytes;

pub use generated::{full_table, metallb, metallb_attributes};
pub use recorded::recorded;

/// UPDATEs of one session, or of sessions that negotiated the same.
#[derive(Clone, Debug)]
pub struct Stream {
    name: String,
    octets: Bytes,
    /// Where each message ends.
    ends: Vec<usize>,
    cx: WireContext,
}

impl Stream {
    /// A stream of no message.
    fn new(name: &str, four_octet_as: bool) -> Self {
        let cx = WireContext::new(PeerType::External)
            .four_octet_as(four_octet_as)
            .multiprotocol(AfiSafi::IPV6_UNICAST, true);
        Self { name: name.to_owned(), octets: Bytes::new(), ends: Vec::new(), cx }
    }

    /// The stream of these messages.
    fn with_messages<T: AsRef<[u8]>>(mut self, messages: impl IntoIterator<Item = T>) -> Self {
        let mut octets = Vec::new();
        for message in messages {
            octets.extend_from_slice(message.as_ref());
            self.ends.push(octets.len());
        }
        self.octets = octets.into();
        self
    }

    /// Keeps so many messages at most.
    pub fn truncate(&mut self, messages: usize) {
        self.ends.truncate(messages);
        self.octets.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// What it is called: the file that it was made from, up to what is the same for all.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All messages, one after the other.
    #[must_use]
    pub const fn octets(&self) -> &Bytes {
        &self.octets
    }

    /// How many messages.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no message.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// What the session negotiated.
    #[must_use]
    pub const fn cx(&self) -> WireContext {
        self.cx
    }

    /// The messages as slices.
    pub fn messages(&self) -> impl Iterator<Item = &[u8]> {
        self.ranges().map(|(start, end)| &self.octets[start..end])
    }

    /// The messages as handles of the shared buffer, for decoders that ask for that.
    pub fn shared_messages(&self) -> impl Iterator<Item = Bytes> {
        self.ranges().map(|(start, end)| self.octets.slice(start..end))
    }

    fn ranges(&self) -> impl Iterator<Item = (usize, usize)> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(self.ends.iter().copied())
    }
}

/// Where the recorded files are, beside the repository.
#[must_use]
pub fn data_directory() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mrt")
}

/// All streams whose name contains `filter`, and a line for each file that is not there or holds nothing to decode.
#[must_use]
pub fn all(filter: &str) -> (Vec<Stream>, Vec<String>) {
    let (mut streams, mut skipped) = (Vec::new(), Vec::new());
    for (name, file) in recorded::FILES.iter().filter(|(name, _)| name.contains(filter)) {
        match recorded(name, &data_directory().join(file)) {
            Ok(stream) => streams.push(stream),
            Err(reason) => skipped.push(format!("{name} is skipped: {reason}")),
        }
    }
    if generated::FULL_TABLE.contains(filter) {
        streams.push(full_table());
    }
    if generated::METALLB.contains(filter) {
        streams.push(metallb());
    }
    (streams, skipped)
}

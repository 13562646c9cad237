//! The streams to decode: consecutive UPDATEs, as received from a socket.

mod generated;
mod recorded;

use std::path::Path;

use bgp_core::wire::WireContext;
use bgp_core::{AfiSafi, PeerType};
use bytes::Bytes;

pub use generated::{full_table, metallb, metallb_attributes};
pub use recorded::recorded;

/// The UPDATEs of one session, or of sessions with the same context.
#[derive(Clone, Debug)]
pub struct Stream {
    name: String,
    octets: Bytes,
    /// The end of each message in `octets`.
    ends: Vec<usize>,
    cx: WireContext,
}

impl Stream {
    /// Creates an empty stream.
    fn new(name: &str, four_octet_as: bool) -> Self {
        let cx = WireContext::new(PeerType::External)
            .four_octet_as(four_octet_as)
            .multiprotocol(AfiSafi::IPV6_UNICAST, true);
        Self { name: name.to_owned(), octets: Bytes::new(), ends: Vec::new(), cx }
    }

    /// Sets the messages of the stream.
    fn with_messages<T: AsRef<[u8]>>(mut self, messages: impl IntoIterator<Item = T>) -> Self {
        let mut octets = Vec::new();
        for message in messages {
            octets.extend_from_slice(message.as_ref());
            self.ends.push(octets.len());
        }
        self.octets = octets.into();
        self
    }

    /// Truncates the stream to a number of messages.
    pub fn truncate(&mut self, messages: usize) {
        self.ends.truncate(messages);
        self.octets.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// The name: that of the recorded file, without the parts that all have in common.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The octets of all messages.
    #[must_use]
    pub const fn octets(&self) -> &Bytes {
        &self.octets
    }

    /// The number of messages.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns true if there is no message.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The context of the session.
    #[must_use]
    pub const fn cx(&self) -> WireContext {
        self.cx
    }

    /// The messages as slices.
    pub fn messages(&self) -> impl Iterator<Item = &[u8]> {
        self.ranges().map(|(start, end)| &self.octets[start..end])
    }

    /// The messages as handles of the shared buffer, for decoders that need these.
    pub fn shared_messages(&self) -> impl Iterator<Item = Bytes> {
        self.ranges().map(|(start, end)| self.octets.slice(start..end))
    }

    fn ranges(&self) -> impl Iterator<Item = (usize, usize)> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(self.ends.iter().copied())
    }
}

/// The directory of the recorded files, next to the repository.
#[must_use]
pub fn data_directory() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mrt")
}

/// All streams whose name contains `filter`, and a line for each file that is missing or has no UPDATE.
#[must_use]
pub fn all(filter: &str) -> (Vec<Stream>, Vec<String>) {
    let (mut streams, mut skipped) = (Vec::new(), Vec::new());
    for (name, file) in recorded::FILES.iter().filter(|(name, _)| name.contains(filter)) {
        match recorded(name, &data_directory().join(file)) {
            Ok(stream) => streams.push(stream),
            Err(reason) => skipped.push(format!("skipped {name}: {reason}")),
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

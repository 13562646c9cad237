//! [`EventStream`]: server-sent events as they arrive.

use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;
use super::error::ClientError;

/// The events of a process, as a stream that ends with the connection.
pub(crate) struct EventStream {
    connection: Connection,
    lines: Lines,
}

/// What a stream of events carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamItem {
    /// An event, as JSON.
    Event(String),
    /// The number of events that were lost, because the reader was too slow or came too late.
    Missed(u64),
}

impl EventStream {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, lines: Lines::default() }
    }

    /// Waits for the next item; `None` at the end of the stream, also if nothing arrived for a long time.
    ///
    /// # Errors
    ///
    /// The connection breaks, or a line is too long.
    pub(crate) async fn next(&mut self) -> Result<Option<StreamItem>, ClientError> {
        let deadline = Instant::now() + IDLE_TIMEOUT;
        loop {
            if let Some(item) = self.lines.item() {
                return Ok(Some(item));
            }

            // A stream without events and signs of life is opened again, since the other end may be gone.
            let part = tokio::select! {
                part = self.connection.part(deadline + IDLE_TIMEOUT) => part?,
                () = tokio::time::sleep_until(deadline) => None,
            };
            let Some(part) = part else { return Ok(None) };
            if !self.lines.push(&part) {
                return Ok(None);
            }
        }
    }
}

/// The octets of a stream, as lines and fields.
#[derive(Debug, Default)]
struct Lines {
    octets: Vec<u8>,
    event: String,
    data: String,
}

impl Lines {
    /// Takes octets. Returns false if there are too many without an event.
    fn push(&mut self, octets: &[u8]) -> bool {
        self.octets.extend_from_slice(octets);
        self.octets.len() + self.data.len() <= MAX_EVENT
    }

    /// Returns the next complete item.
    fn item(&mut self) -> Option<StreamItem> {
        while let Some(end) = self.octets.iter().position(|octet| *octet == b'\n') {
            let line: Vec<u8> = self.octets.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if !line.is_empty() {
                self.field(line);
                continue;
            }

            let (event, data) = (std::mem::take(&mut self.event), std::mem::take(&mut self.data));
            match event.as_str() {
                _ if data.is_empty() => {}
                "missed" => return Some(StreamItem::Missed(data.parse().unwrap_or(0))),
                _ => return Some(StreamItem::Event(data)),
            }
        }
        None
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => self.event = value.to_owned(),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            // The number is in the event too, and a line without a name is a sign of life.
            _ => {}
        }
    }
}

/// The time without any octet after which the stream is given up. Processes send a sign of life more often.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// The most octets of an event.
const MAX_EVENT: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_found_in_octets_that_arrive_in_any_parts() {
        let stream = b"\xef: hello\n\nid: 4\ndata: {\"id\":4}\n\nevent: missed\r\ndata: 7\r\n\r\n\
                       data: a\ndata: b\n\n";
        for size in [1, 2, 7, stream.len()] {
            let mut lines = Lines::default();
            let mut items = Vec::new();
            for part in stream.chunks(size) {
                assert!(lines.push(part));
                while let Some(item) = lines.item() {
                    items.push(item);
                }
            }
            let event = |data: &str| StreamItem::Event(data.to_owned());
            assert_eq!(items, [event("{\"id\":4}"), StreamItem::Missed(7), event("a\nb")]);
        }
    }

    #[test]
    fn an_endless_line_is_given_up() {
        let mut lines = Lines::default();
        let part = [b'a'; 64 * 1024];
        let taken = (0..100).take_while(|_| lines.push(&part)).count();
        assert_eq!(taken, MAX_EVENT / part.len());
    }
}

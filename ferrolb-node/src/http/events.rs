//! `/v1/events`: the kept events as JSON, or a stream of server-sent events.
//!
//! Owns the form of the stream. A stream holds no events, so that a slow reader costs nothing: it learns how many it missed. A
//! connection whose reader takes nothing is cut off, see [`super::serve`].

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ferrolb_api::{ApiError, Event};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::parameters::Parameters;
use super::protection::AllowedUntil;
use super::streaming::{OpenStream, Streaming};
use super::{ServerState, api, body, try_acquire};
use crate::api::Refused;
use crate::events::{EventReader, EventReading};

/// The media type of server-sent events.
const EVENT_STREAM: &str = "text/event-stream";
/// The number of events that are written at a time.
const BATCH: usize = 64;
/// The beginning of a stream: the time in milliseconds after which a client connects again.
const BEGINNING: &str = "retry: 2000\n\n";
/// A comment, which keeps the connection alive.
const KEEP_ALIVE: &str = ": keep-alive\n\n";

/// Answers with the events after `Last-Event-ID` or `since`.
pub(super) async fn events(
    State(state): State<ServerState>,
    Extension(streaming): Extension<Streaming>,
    headers: HeaderMap,
    extensions: Extensions,
    RawQuery(query): RawQuery,
) -> Response {
    let since = match since(&headers, query.as_deref()) {
        Ok(since) => since,
        Err(refused) => return api::refusal(&refused),
    };

    if wants_stream(&headers) {
        let Some(permit) = try_acquire(&state.streams) else { return api::too_many("streams") };
        let reader = state.events.reader(since);
        let until = extensions.get().map(|AllowedUntil(until)| *until);
        return stream(EventStream { reader, open: streaming.open(), until, _permit: permit });
    }

    let Some(permit) = try_acquire(&state.answers) else { return api::too_many("answers") };
    match serde_json::to_string(&state.events.page(since)) {
        Ok(text) => {
            let response = body::text_response(api::JSON, text, permit);
            (api::SAFE_HEADERS, response).into_response()
        }
        Err(error) => {
            api::failure(StatusCode::INTERNAL_SERVER_ERROR, &ApiError::new(error.to_string()))
        }
    }
}

/// Returns the number of the last event that the client has. The header is newer than the query: a browser that connects again
/// sends both.
fn since(headers: &HeaderMap, query: Option<&str>) -> Result<Option<u64>, Refused> {
    const EXPECTED: &str = "the number of an event";

    let mut parameters = Parameters::of(query)?;
    let since = parameters.parsed("since", EXPECTED)?;
    parameters.finish(&["since"])?;

    let Some(last) = headers.get("last-event-id") else { return Ok(since) };
    let last = String::from_utf8_lossy(last.as_bytes());
    match last.trim().parse() {
        Ok(last) => Ok(Some(last)),
        Err(_) => {
            let error = format!("Last-Event-ID: {last}: expected {EXPECTED}");
            Err(Refused::BadRequest(ApiError::new(error)))
        }
    }
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|types| types.split(',').any(|it| it.trim().starts_with(EVENT_STREAM)))
}

/// A stream to one client.
struct EventStream {
    reader: EventReader,
    open: OpenStream,
    /// The time at which it ends, if the permission of its reader must be asked for again.
    until: Option<Instant>,
    _permit: OwnedSemaphorePermit,
}

fn stream(stream: EventStream) -> Response {
    let chunks = futures_util::stream::unfold((stream, true), async |(mut stream, is_first)| {
        let chunk = if is_first { BEGINNING.to_owned() } else { stream.next_chunk().await? };
        Some((Ok::<_, Infallible>(chunk), (stream, false)))
    });
    let headers = [(header::CONTENT_TYPE, EVENT_STREAM)];
    (api::SAFE_HEADERS, headers, Body::from_stream(chunks)).into_response()
}

impl EventStream {
    /// Returns the next events as text, or a comment after a time without any. `None` at the end of the permission.
    async fn next_chunk(&mut self) -> Option<String> {
        // The client has read what came before.
        self.open.note_read();
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return None;
        }
        let wait = self.open.keep_alive().min(left.unwrap_or(Duration::MAX));
        let Ok(first) = timeout(wait, self.reader.next()).await else {
            return Some(KEEP_ALIVE.to_owned());
        };

        let mut chunk = String::new();
        write(&mut chunk, &first);
        for reading in std::iter::from_fn(|| self.reader.try_next()).take(BATCH - 1) {
            write(&mut chunk, &reading);
        }
        Some(chunk)
    }
}

fn write(chunk: &mut String, reading: &EventReading) {
    // Writing to a string cannot fail, and JSON has no line breaks.
    let _ = match reading {
        EventReading::Event(event) => match serde_json::to_string::<Event>(event) {
            Ok(data) => write!(chunk, "id: {}\ndata: {data}\n\n", event.id),
            Err(_) => Ok(()),
        },
        EventReading::Missed(events) => write!(chunk, "event: missed\ndata: {events}\n\n"),
    };
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;
    use crate::events::EventLog;

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_with_the_permission_of_its_reader() {
        let streaming = Streaming::new(Duration::from_secs(7));
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let begin = Instant::now();
        let mut stream = EventStream {
            reader: EventLog::new().reader(None),
            open: streaming.open(),
            until: Some(begin + Duration::from_secs(60)),
            _permit: permit,
        };
        while let Some(chunk) = stream.next_chunk().await {
            assert_eq!(chunk, KEEP_ALIVE);
        }
        assert_eq!(begin.elapsed(), Duration::from_secs(60));
    }
}

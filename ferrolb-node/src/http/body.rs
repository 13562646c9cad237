//! The bodies of large responses, sent in chunks as fast as the client reads. Each response keeps its permit until it has
//! been read or the client gives up.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::spawn_blocking;

use lb_adapter::recording::ProcessSnapshot;

/// Returns a response with this text.
pub(super) fn text_response(
    content_type: &'static str,
    text: String,
    permit: OwnedSemaphorePermit,
) -> Response {
    let text = Bytes::from(text);
    let length = text.len();
    let chunks = stream::unfold((text, permit), async |(mut text, permit)| {
        let chunk = text.split_to(text.len().min(CHUNK));
        if chunk.is_empty() {
            return None;
        }
        Some((Ok::<_, Infallible>(chunk), (text, permit)))
    });
    response(content_type, length, Body::from_stream(chunks))
}

/// Returns a response with everything that the process knows, as a recording. The text is produced twice: once to measure it, so
/// that the client can detect a truncated response, and once chunk by chunk while it is read.
pub(super) async fn recording_response(
    content_type: &'static str,
    snapshot: ProcessSnapshot,
    permit: OwnedSemaphorePermit,
) -> Response {
    let snapshot = Arc::new(snapshot);
    let measured = Arc::clone(&snapshot);
    // The permit goes along, so that a client that gives up does not free it during the measurement.
    let measuring = spawn_blocking(move || (recording_length(&measured), permit));
    let Ok((length, permit)) = measuring.await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };

    let (sender, chunks) = mpsc::channel(QUEUED_CHUNKS);
    spawn_blocking(move || {
        write_recording(&snapshot, &sender);
        drop(permit);
    });
    let chunks = stream::unfold(chunks, async |mut chunks| {
        let chunk: Bytes = chunks.recv().await?;
        Some((Ok::<_, Infallible>(chunk), chunks))
    });
    response(content_type, length, Body::from_stream(chunks))
}

fn response(content_type: &'static str, length: usize, body: Body) -> Response {
    let length = length.to_string();
    let headers = [(header::CONTENT_TYPE, content_type), (header::CONTENT_LENGTH, &length)];
    (headers, body).into_response()
}

fn recording_length(snapshot: &ProcessSnapshot) -> usize {
    let mut length = 0;
    snapshot.lines(|line| {
        length += line.len();
        true
    });
    length
}

/// Writes the recording in chunks. Waits for a slow reader, and stops when the reader is gone.
fn write_recording(snapshot: &ProcessSnapshot, chunks: &mpsc::Sender<Bytes>) {
    let mut chunk = String::new();
    let is_complete = snapshot.lines(|line| {
        chunk.push_str(line);
        chunk.len() < CHUNK || chunks.blocking_send(std::mem::take(&mut chunk).into()).is_ok()
    });
    if is_complete && !chunk.is_empty() {
        // An error means that the reader is gone and needs no more.
        let _ = chunks.blocking_send(chunk.into());
    }
}

/// The length of a chunk in octets.
const CHUNK: usize = 16 << 10;
/// The number of chunks that wait for the reader.
const QUEUED_CHUNKS: usize = 2;

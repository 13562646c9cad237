//! Bodies of large answers: sent in pieces, as fast as the client reads. Each keeps its place until it has been read or the
//! client gives up.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::spawn_blocking;

use lb_adapter::recording::Known;

/// Answers with a text.
pub(super) fn of_text(kind: &'static str, text: String, place: OwnedSemaphorePermit) -> Response {
    let text = Bytes::from(text);
    let length = text.len();
    let pieces = stream::unfold((text, place), async |(mut text, place)| {
        let piece = text.split_to(text.len().min(PIECE));
        (!piece.is_empty()).then(|| (Ok::<_, Infallible>(piece), (text, place)))
    });
    whole(kind, length, Body::from_stream(pieces))
}

/// Answers with all that is known, as a recording. The text is made twice: once to measure it, so that the reader sees
/// whether it is whole, and once piece by piece while it is read.
pub(super) async fn of_recording(
    kind: &'static str,
    known: Known,
    place: OwnedSemaphorePermit,
) -> Response {
    let known = Arc::new(known);
    let measured = Arc::clone(&known);
    // The place goes along: a reader that gives up in between must not free it while this is measured.
    let measuring = spawn_blocking(move || (length(&measured), place));
    let Ok((length, place)) = measuring.await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };

    let (sender, pieces) = mpsc::channel(PIECES);
    spawn_blocking(move || {
        write(&known, &sender);
        drop(place);
    });
    let pieces = stream::unfold(pieces, async |mut pieces| {
        let piece: Bytes = pieces.recv().await?;
        Some((Ok::<_, Infallible>(piece), pieces))
    });
    whole(kind, length, Body::from_stream(pieces))
}

fn whole(kind: &'static str, length: usize, body: Body) -> Response {
    let length = length.to_string();
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_LENGTH, &length)], body).into_response()
}

fn length(known: &Known) -> usize {
    let mut length = 0;
    known.lines(|line| {
        length += line.len();
        true
    });
    length
}

/// Writes the recording in pieces. Waits for a slow reader, and stops when it is gone.
fn write(known: &Known, pieces: &mpsc::Sender<Bytes>) {
    let mut piece = String::new();
    let whole = known.lines(|line| {
        piece.push_str(line);
        piece.len() < PIECE || pieces.blocking_send(std::mem::take(&mut piece).into()).is_ok()
    });
    if whole && !piece.is_empty() {
        // A reader that is gone needs no end.
        let _ = pieces.blocking_send(piece.into());
    }
}

/// Octets.
const PIECE: usize = 16 << 10;
/// The number of pieces that wait for the reader.
const PIECES: usize = 2;

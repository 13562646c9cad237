//! The live page: its files, which are part of the program, and the paths at which they are served.
//!
//! The page reads `/v1` and nothing else, and the browser lets it reach no other origin. This module owns the files and their
//! headers. It must not find out or compute any fact: what the page shows is in an answer of `ferrolb-api`.

#[cfg(test)]
mod tests;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

/// A file of the page.
#[derive(Clone, Copy, Debug)]
struct Asset {
    path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

macro_rules! asset {
    ($path:literal, $content_type:expr, $file:literal) => {
        Asset { path: $path, content_type: $content_type, text: include_str!($file) }
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

const ASSETS: &[Asset] = &[
    asset!("/", HTML, "index.html"),
    asset!("/page/page.css", CSS, "page.css"),
    asset!("/page/dom.js", JAVASCRIPT, "dom.js"),
    asset!("/page/events.js", JAVASCRIPT, "events.js"),
    asset!("/page/format.js", JAVASCRIPT, "format.js"),
    asset!("/page/main.js", JAVASCRIPT, "main.js"),
    asset!("/page/overview.js", JAVASCRIPT, "overview.js"),
    asset!("/page/parts.js", JAVASCRIPT, "parts.js"),
    asset!("/page/peers.js", JAVASCRIPT, "peers.js"),
    asset!("/page/pools.js", JAVASCRIPT, "pools.js"),
    asset!("/page/routes.js", JAVASCRIPT, "routes.js"),
    asset!("/page/service.js", JAVASCRIPT, "service.js"),
    asset!("/page/services.js", JAVASCRIPT, "services.js"),
    asset!("/page/store.js", JAVASCRIPT, "store.js"),
];

/// What the page may load: its own files, and pictures that are written out in them.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Returns the paths of the page.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ASSETS.iter().fold(Router::new(), |router, &asset| {
        let tag = entity_tag(asset.text);
        router.route(
            asset.path,
            get(move |headers: HeaderMap| async move { response(asset, &tag, &headers) }),
        )
    })
}

/// Returns the file, or only its tag for a browser that has it. The browser asks each time, so that a new version of the program
/// comes with its page.
fn response(asset: Asset, tag: &str, request: &HeaderMap) -> Response {
    let headers = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::ETAG, tag),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, asset.text).into_response()
}

fn entity_tag(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

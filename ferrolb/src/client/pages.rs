//! [`Pages`]: a long list, one page at a time.

use bytes::Bytes;
use serde::Deserialize;

use super::{Client, ClientError, MAX_ANSWER, escaped};

/// The pages of a list, from the first to the last. At most one is in memory.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    client: &'a Client,
    /// The path with the query, to which the start of a page is added.
    path: String,
    /// The start of the next page; `None` after the last one.
    next: Option<Option<String>>,
}

/// The part of a page that all lists share.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    next: Option<String>,
}

impl<'a> Pages<'a> {
    /// Returns the pages of the list at `path` with this query.
    pub(crate) fn new(client: &'a Client, path: &str, query: &[(&str, Option<&str>)]) -> Self {
        let mut path = format!("{path}?limit={LIMIT}");
        for (name, value) in query {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", escaped(value)));
            }
        }
        Self { client, path, next: Some(None) }
    }

    /// Returns the path of the list, for errors.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns the next page as it is; `None` after the last one.
    ///
    /// # Errors
    ///
    /// The process does not answer, or answers the same page twice.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        let Some(from) = self.next.take() else { return Ok(None) };
        let path = match &from {
            None => self.path.clone(),
            Some(from) => format!("{}&from={}", self.path, escaped(from)),
        };

        let page = self.client.get_raw(&path, MAX_ANSWER).await?;
        let Head { next } = self.client.parse(&path, &page)?;
        // Otherwise a faulty process would keep the command busy for ever.
        if next.is_some() && next == from {
            return Err(self.client.invalid(&path, "the next page is this one"));
        }
        self.next = next.map(Some);
        Ok(Some(page))
    }
}

/// The elements of a page: the most that a process returns.
const LIMIT: usize = 1_000;

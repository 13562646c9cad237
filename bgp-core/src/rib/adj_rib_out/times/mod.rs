//! [`Times`]: the time at which each route of a family was announced last.
//!
//! Owns the times of session keys, without the keys that share the time of the one before them. The routes of a new session are
//! mostly announced in the same second and share one time. A route that was announced later costs a few octets. Setting a time
//! takes neither a search nor a look at the table: times that were set lately wait in a list, and join the others when there are
//! many of them.

mod marks;

use std::collections::BTreeMap;

use self::marks::{Mark, Marks, MarksBuilder};
use crate::rib::adj_rib_out::replay::session_key;
use crate::rib::key::Key;
use crate::rib::table::{Cursor, Table};

/// The fewest times that are joined with the others at once.
const FEWEST: usize = if cfg!(test) { 8 } else { 1_024 };

/// Seconds since the RIB was first told the time.
pub(super) type Seconds = u32;

/// A time for each session key of a table.
#[derive(Debug)]
pub(super) struct Times<K> {
    /// The time of the keys before the first mark.
    start: Seconds,
    /// The keys from which on the time is another one.
    marks: Marks<K>,
    /// The times that were set since, in this order.
    recent: Vec<(K, Seconds)>,
}

impl<K> Default for Times<K> {
    fn default() -> Self {
        Self::same(0)
    }
}

impl<K> Times<K> {
    /// The same time for all keys.
    pub(super) fn same(time: Seconds) -> Self {
        Self { start: time, marks: Marks::default(), recent: Vec::new() }
    }
}

impl<K: Key> Times<K> {
    /// Changes the time of a session key of a table.
    pub(super) fn set(&mut self, table: &Table<K>, several_paths: bool, key: K, time: Seconds) {
        if self.recent.is_empty() && self.marks.is_empty() && self.start == time {
            return;
        }
        self.recent.push((key, time));

        // Joining them reads all marks, and the table around them.
        let most = (table.len() / 32).max(self.marks.len() / 8).max(FEWEST);
        if self.recent.len() >= most {
            self.join(table, several_paths);
        }
    }

    /// Joins the recent times with the others. Forgets those of keys that the table does not have.
    fn join(&mut self, table: &Table<K>, several_paths: bool) {
        let mut recent = std::mem::take(&mut self.recent);
        // A stable sort, so that the last time of a key stays the last one.
        recent.sort_by_key(|(key, _)| *key);
        let mut recent = recent.into_iter().peekable();
        let older = std::mem::take(&mut self.marks);
        let mut marks = older.iter().peekable();

        let mut joined = Joined::default();
        let mut time = self.start;
        let mut keys = Cursor::start(table);
        loop {
            let set = recent.peek().map(|(key, _)| *key);
            let marked = marks.peek().map(|mark| mark.key);
            let Some(next) = set.into_iter().chain(marked).min() else { break };

            // The keys before it have all the same time.
            if let Some(key) = visible_key(&mut keys, several_paths).filter(|key| *key < next) {
                joined.push(key, time);
                keys.seek(next);
            }
            while let Some(mark) = marks.next_if(|mark| mark.key == next) {
                time = mark.time;
            }
            let mut own = time;
            while let Some((_, later)) = recent.next_if(|(key, _)| *key == next) {
                own = later;
            }
            if visible_key(&mut keys, several_paths) == Some(next) {
                joined.push(next, own);
                while visible_key(&mut keys, several_paths) == Some(next) {
                    keys.take();
                }
            }
        }

        if let Some(key) = visible_key(&mut keys, several_paths) {
            joined.push(key, time);
        }
        self.start = joined.start.unwrap_or(self.start);
        self.marks = joined.marks.finish();
    }

    /// The times of the keys from one to another, both included, for some calls of [`Reader::get`].
    pub(super) fn read(&self, from: K, to: K) -> Reader<'_, K> {
        let recent = self.recent.iter().copied();
        let recent = recent.filter(|(key, _)| (from..=to).contains(key)).collect();
        Reader { times: self, recent }
    }
}

/// The session key of the next entry, after hidden ones.
fn visible_key<K: Key>(keys: &mut Cursor<'_, K>, several_paths: bool) -> Option<K> {
    let mut key = keys.key()?;
    while keys.table().hides(key) {
        keys.take();
        key = keys.key()?;
    }
    Some(session_key(key, several_paths))
}

/// The times that are joined so far.
#[derive(Debug)]
struct Joined<K> {
    /// The time of the first key.
    start: Option<Seconds>,
    marks: MarksBuilder<K>,
    /// The time of the last key.
    last: Seconds,
}

impl<K> Default for Joined<K> {
    fn default() -> Self {
        Self { start: None, marks: MarksBuilder::default(), last: 0 }
    }
}

impl<K: Key> Joined<K> {
    /// Adds a key behind the others, from which on keys have this time.
    fn push(&mut self, key: K, time: Seconds) {
        if self.start.is_none() {
            self.start = Some(time);
        } else if time != self.last {
            self.marks.push(Mark { key, time });
        }
        self.last = time;
    }
}

/// Times of the keys of a range.
#[derive(Debug)]
pub(super) struct Reader<'a, K> {
    times: &'a Times<K>,
    /// The recent ones in the range.
    recent: BTreeMap<K, Seconds>,
}

impl<K: Key> Reader<'_, K> {
    /// The time of a session key in the range.
    pub(super) fn get(&self, key: K) -> Seconds {
        let Times { start, marks, .. } = self.times;
        self.recent.get(&key).copied().or_else(|| marks.last_up_to(key)).unwrap_or(*start)
    }
}

#[cfg(test)]
mod tests;

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
use crate::rib::table::Table;

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

        // Joining them reads the whole table and all marks.
        let most = (table.len() / 16).max(self.marks.len() / 4).max(FEWEST);
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
        let mut marks = self.marks.iter().peekable();

        let mut joined = MarksBuilder::default();
        let (mut start, mut last) = (None, self.start);
        let mut older = self.start;
        let mut before = None;
        for (key, _) in table.iter() {
            let key = session_key(key, several_paths);
            if before.replace(key) == Some(key) {
                continue;
            }

            while let Some(mark) = marks.next_if(|mark| mark.key <= key) {
                older = mark.time;
            }
            let mut time = older;
            while let Some((set, later)) = recent.next_if(|(set, _)| *set <= key) {
                if set == key {
                    time = later;
                }
            }

            if start.is_none() {
                start = Some(time);
            } else if time != last {
                joined.push(Mark { key, time });
            }
            last = time;
        }

        drop(marks);
        self.start = start.unwrap_or(last);
        self.marks = joined.finish();
    }

    /// The times of the keys from one to another, both included, for some calls of [`Reader::get`].
    pub(super) fn read(&self, from: K, to: K) -> Reader<'_, K> {
        let recent = self.recent.iter().copied();
        let recent = recent.filter(|(key, _)| (from..=to).contains(key)).collect();
        Reader { times: self, recent }
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

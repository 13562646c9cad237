//! [`Times`]: the time at which each route of a family was announced last.
//!
//! Owns times without their keys: the table of the routes, which each call is given, has them. The routes of a new session
//! are mostly announced in the same second and share one time. A route that was announced later costs four octets, and so
//! do up to 256 adjacent ones. Every change of the table has to be followed here.

use crate::rib::key::Key;
use crate::rib::table::Table;

/// The number of routes that get times of their own together.
const BLOCK: usize = if cfg!(test) { 8 } else { 256 };

/// Seconds since the RIB was first told the time.
pub(super) type Seconds = u32;

/// A time for each entry of a table.
#[derive(Debug)]
pub(super) struct Times<K> {
    /// The time of the entries before the first span.
    before: Seconds,
    /// The times of the other entries, in order. A span ends where the next one begins.
    spans: Vec<Span<K>>,
}

#[derive(Debug)]
struct Span<K> {
    /// All keys of the span are at least this one, which need not be in the table any more.
    first: K,
    times: SpanTimes,
}

#[derive(Debug)]
enum SpanTimes {
    /// All entries of the span have this time.
    Same(Seconds),
    /// The entries of the span have these times, in order.
    Each(Vec<Seconds>),
}

impl<K> Default for Times<K> {
    fn default() -> Self {
        Self::same(0)
    }
}

impl<K> Times<K> {
    /// The same time for all entries of any table.
    pub(super) fn same(time: Seconds) -> Self {
        Self { before: time, spans: Vec::new() }
    }

    /// Returns true if all entries have the same time, so that changes of the table need not be followed.
    pub(super) fn are_same(&self) -> bool {
        self.spans.is_empty()
    }
}

impl<K: Key> Times<K> {
    /// The times of the entries of a table, all of which are given, in order.
    pub(super) fn collect(times: impl Iterator<Item = (K, Seconds)>) -> Self {
        let mut collected: Option<Self> = None;
        let mut times = times.peekable();
        while let Some(&(first, time)) = times.peek() {
            let block: Vec<_> = times.by_ref().take(BLOCK).map(|(_, time)| time).collect();
            let is_same = block.iter().all(|other| *other == time);
            let times = if is_same { SpanTimes::Same(time) } else { SpanTimes::Each(block) };

            match &mut collected {
                None if is_same => collected = Some(Self::same(time)),
                Some(known) if is_same && known.last_same() == Some(time) => {}
                known => known.get_or_insert_default().spans.push(Span { first, times }),
            }
        }

        let mut collected = collected.unwrap_or_default();
        collected.spans.shrink_to_fit();
        collected
    }

    /// The time of the last entries, if they have the same.
    fn last_same(&self) -> Option<Seconds> {
        match self.spans.last().map(|span| &span.times) {
            None => Some(self.before),
            Some(SpanTimes::Same(time)) => Some(*time),
            Some(SpanTimes::Each(_)) => None,
        }
    }

    /// The time of an entry.
    pub(super) fn get(&self, table: &Table<K>, key: K) -> Seconds {
        let Some(span) = self.span_of(key).and_then(|at| self.spans.get(at)) else {
            return self.before;
        };
        match &span.times {
            SpanTimes::Same(time) => *time,
            SpanTimes::Each(times) => {
                times.get(table.distance(span.first, key)).copied().unwrap_or(self.before)
            }
        }
    }

    /// All entries with their times.
    pub(super) fn iter(&self, table: &Table<K>) -> impl Iterator<Item = (K, Seconds)> {
        let mut spans = self.spans.iter().peekable();
        let mut times: Option<&SpanTimes> = None;
        let mut at = 0_usize;
        table.iter().map(move |(key, _)| {
            while let Some(span) = spans.next_if(|span| span.first <= key) {
                times = Some(&span.times);
                at = 0;
            }
            let time = match times {
                None => Some(self.before),
                Some(SpanTimes::Same(time)) => Some(*time),
                Some(SpanTimes::Each(times)) => times.get(at).copied(),
            };
            at += 1;
            (key, time.unwrap_or_default())
        })
    }

    /// Changes the time of an entry.
    pub(super) fn set(&mut self, table: &Table<K>, key: K, time: Seconds) {
        let at = self.span_of(key);
        let same = match at.and_then(|at| self.spans.get_mut(at)) {
            None => self.before,
            Some(Span { times: SpanTimes::Same(same), .. }) => *same,
            Some(Span { first, times: SpanTimes::Each(times) }) => {
                if let Some(slot) = times.get_mut(table.distance(*first, key)) {
                    *slot = time;
                }
                return;
            }
        };
        if same != time {
            self.carve(table, at, same, (key, time));
        }
    }

    /// Changes the time of a session key: of the entry, or of all paths to its prefix.
    pub(super) fn set_paths(
        &mut self,
        table: &Table<K>,
        key: K,
        several_paths: bool,
        time: Seconds,
    ) {
        if several_paths {
            self.set(table, key, time);
        } else {
            table.paths(key).for_each(|(path, _)| self.set(table, path, time));
        }
    }

    /// Gives an entry a time of its own, and the adjacent ones as well, which have the same time so far.
    fn carve(
        &mut self,
        table: &Table<K>,
        at: Option<usize>,
        same: Seconds,
        (key, time): (K, Seconds),
    ) {
        let next = at.map_or(0, |at| at + 1);
        let end = self.spans.get(next).map(|span| span.first);
        let region = at.and_then(|at| self.spans.get(at)).map(|span| span.first);
        let start = table.step_back(key, BLOCK / 2).unwrap_or(key);
        let whole = region.filter(|region| *region >= start);
        let first = whole.unwrap_or(start);

        let mut keys = table.starting_at(first).map(|(key, _)| key);
        let mut keys = keys.by_ref().take_while(|key| end.is_none_or(|end| *key < end));
        let block = keys.by_ref().take(BLOCK);
        let times = block.map(|other| if other == key { time } else { same }).collect();
        let rest = keys.next();

        let each = Span { first, times: SpanTimes::Each(times) };
        let rest = rest.map(|first| Span { first, times: SpanTimes::Same(same) });
        // The block takes the place of a span whose first entries it has.
        let replaced = if whole.is_some() { next.saturating_sub(1) } else { next };
        self.spans.splice(replaced..next, [each].into_iter().chain(rest));
    }

    /// Follows an entry that was added to the table. Its time is unknown until it is [`set`](Self::set).
    pub(super) fn added(&mut self, table: &Table<K>, key: K) {
        let Some(at) = self.span_of(key) else { return };
        let Some(Span { first, times: SpanTimes::Each(times) }) = self.spans.get_mut(at) else {
            return;
        };

        let rank = table.distance(*first, key).min(times.len());
        times.insert(rank, 0);
        if times.len() < 2 * BLOCK {
            return;
        }

        let right = times.split_off(BLOCK);
        if let Some((first, _)) = table.starting_at(*first).nth(BLOCK) {
            self.spans.insert(at + 1, Span { first, times: SpanTimes::Each(right) });
        }
    }

    /// Follows an entry that is about to be removed from the table.
    pub(super) fn removing(&mut self, table: &Table<K>, key: K) {
        let Some(at) = self.span_of(key) else { return };
        let end = self.spans.get(at + 1).map(|next| next.first);
        let Some(Span { first, times }) = self.spans.get_mut(at) else { return };
        let SpanTimes::Each(times) = times else {
            let others = table.starting_at(*first).filter(|(other, _)| *other != key);
            let other = others.map(|(other, _)| other).next();
            if other.is_none_or(|other| end.is_some_and(|end| end <= other)) {
                self.spans.remove(at);
            }
            return;
        };

        let rank = table.distance(*first, key);
        if rank < times.len() {
            times.remove(rank);
        }
        if times.len() < BLOCK / 4 {
            self.join(at);
        }
    }

    /// Joins a small span with the one before it, if both have times of their own and fit into one block.
    fn join(&mut self, at: usize) {
        let Some((before, after)) = self.spans.split_at_mut_checked(at) else { return };
        let Some(Span { times: SpanTimes::Each(small), .. }) = after.first_mut() else { return };
        if small.is_empty() {
            self.spans.remove(at);
            return;
        }

        small.shrink_to_fit();
        if let Some(Span { times: SpanTimes::Each(times), .. }) = before.last_mut() {
            if times.len() + small.len() <= BLOCK {
                times.append(small);
                self.spans.remove(at);
            }
        }
    }

    /// The index of the span with a key. `None` if the key is before the first one.
    fn span_of(&self, key: K) -> Option<usize> {
        self.spans.partition_point(|span| span.first <= key).checked_sub(1)
    }
}

#[cfg(test)]
#[path = "times_tests.rs"]
mod tests;

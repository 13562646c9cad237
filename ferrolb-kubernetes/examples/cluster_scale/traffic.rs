//! What a program asks of the API server, and what it gets: requests and octets between two moments.

use std::collections::BTreeMap;

use test_apiserver::ApiServer;

/// The requests and octets up to a moment.
pub(crate) struct Traffic {
    /// The requests, by client, verb and resource.
    requests: BTreeMap<(String, &'static str, String), u64>,
    octets: BTreeMap<(String, &'static str, String), u64>,
}

impl Traffic {
    /// Returns the traffic until now.
    pub(crate) fn until_now(server: &ApiServer) -> Self {
        let mut requests: BTreeMap<_, u64> = BTreeMap::new();
        for request in server.asked() {
            *requests.entry((request.who, request.verb, request.resource)).or_default() += 1;
        }
        Self { requests, octets: server.sent() }
    }

    /// Prints the traffic of a client since an earlier moment: the total, then each verb and resource.
    #[expect(clippy::print_stdout, reason = "a program for people")]
    pub(crate) fn print_since(&self, before: &Self, who: &str) {
        let is_write = |verb: &str| !["get", "list", "watch"].contains(&verb);
        let (mut requests, mut writes, mut octets, mut lines) = (0, 0, 0, Vec::new());
        let mut keys: Vec<_> = self.requests.keys().chain(self.octets.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys.into_iter().filter(|key| key.0 == who) {
            let count = difference(&self.requests, &before.requests, key);
            let received = difference(&self.octets, &before.octets, key);
            requests += count;
            octets += received;
            writes += if is_write(key.1) { count } else { 0 };
            if count > 0 || received > 0 {
                lines.push(format!("    {:6} {:34} {count:7} {received:11}", key.1, key.2));
            }
        }
        println!(
            "  {who}: {requests} requests, of these {writes} writes; {octets} octets received"
        );
        lines.iter().for_each(|line| println!("{line}"));
    }
}

fn difference<K: Ord>(now: &BTreeMap<K, u64>, before: &BTreeMap<K, u64>, key: &K) -> u64 {
    let of = |map: &BTreeMap<K, u64>| map.get(key).copied().unwrap_or_default();
    of(now).saturating_sub(of(before))
}

//! The octets that the server has sent, by client and resource, with which a benchmark compares ways to use the API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The sender of a request, the verb, and the resource with its subresource.
pub type TrafficKey = (String, &'static str, String);

/// The octets of all responses since the start of the server, without their headers.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    octets: Mutex<BTreeMap<TrafficKey, u64>>,
}

impl Traffic {
    fn add(&self, key: &TrafficKey, octets: u64) {
        let mut sent = self.octets.lock().unwrap_or_else(PoisonError::into_inner);
        match sent.get_mut(key) {
            Some(sum) => *sum += octets,
            None => {
                sent.insert(key.clone(), octets);
            }
        }
    }

    pub(crate) fn to_map(&self) -> BTreeMap<TrafficKey, u64> {
        self.octets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The count of the octets of one response.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) key: TrafficKey,
}

impl Meter {
    pub(crate) fn add(&self, octets: u64) {
        self.traffic.add(&self.key, octets);
    }
}

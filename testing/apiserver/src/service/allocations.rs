//! The node ports and cluster IPs of a server: which are in use, and which come next.
//!
//! Owns the two ranges. Which Service needs what is decided in `node_ports` and `cluster_ips`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::{cluster_ips, node_ports};
use crate::failure::Failure;

/// The default of the real server's `--service-node-port-range`.
pub(crate) const NODE_PORTS: RangeInclusive<u16> = 30_000..=32_767;

/// The ranges of cluster IPs, in the form of a ServiceCIDR. The server is dual-stack, and IPv4 is its first family.
pub(crate) const CLUSTER_IPS: [&str; 2] = ["10.96.0.0/16", "fd00:96::/112"];

/// The cluster IPs below this one are never given out, as on a real server, which has some of its own there.
const FIRST_ADDRESS: u16 = 0x0100;

/// The node ports and cluster IPs in use. Each belongs to one Service.
#[derive(Debug)]
pub(crate) struct Allocations {
    range: RangeInclusive<u16>,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    ports: BTreeSet<u16>,
    addresses: BTreeSet<IpAddr>,
    /// The port and the cluster IP given out last. A freed one is not given out again before its whole range.
    last_port: Option<u16>,
    last_address: Option<u16>,
}

impl Allocations {
    pub(crate) fn new(range: RangeInclusive<u16>) -> Self {
        Self { range, used: Mutex::default() }
    }

    /// Begins the allocations of one request. Nothing is in use before [`Allocation::commit`].
    pub(crate) fn begin(&self) -> Allocation<'_> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        Allocation { range: &self.range, used, fresh: BTreeSet::new() }
    }

    /// Frees what a deleted Service used.
    pub(crate) fn release(&self, service: &Value) {
        self.begin().commit(Some(service), None);
    }
}

/// The allocations of one request.
#[derive(Debug)]
pub(crate) struct Allocation<'a> {
    range: &'a RangeInclusive<u16>,
    used: MutexGuard<'a, Used>,
    /// The ports that this request reserved.
    fresh: BTreeSet<u16>,
}

impl Allocation<'_> {
    /// Gives a Service its cluster IPs and node ports. `before` is the Service that it replaces.
    pub(crate) fn allocate(
        &mut self,
        before: Option<&Value>,
        service: &mut Value,
    ) -> Result<(), Failure> {
        cluster_ips::allocate(self, before, service)?;
        node_ports::allocate(self, before, service)
    }

    /// Reserves the port that a Service asks for.
    pub(super) fn reserve_port(&mut self, wanted: i64) -> Result<(), String> {
        let wanted = u16::try_from(wanted).ok().filter(|port| self.range.contains(port));
        let Some(port) = wanted else {
            let (first, last) = (self.range.start(), self.range.end());
            return Err(format!(
                "provided port is not in the valid range. The range of valid ports is {first}-{last}"
            ));
        };
        if self.used.ports.contains(&port) || !self.fresh.insert(port) {
            return Err("provided port is already allocated".to_owned());
        }
        Ok(())
    }

    /// Reserves the next free port.
    pub(super) fn next_port(&mut self) -> Result<u16, String> {
        let first = *self.range.start();
        // As on the real server, the lower part of the range is left to requests for a certain port.
        let dynamic = first.saturating_add(86).min(*self.range.end());
        let start = self.used.last_port.map_or(dynamic, |last| last.saturating_add(1));

        let candidates = (start..=*self.range.end()).chain(dynamic..start).chain(first..dynamic);
        let is_free = |port: &u16| !self.used.ports.contains(port) && !self.fresh.contains(port);
        let port = candidates.into_iter().find(is_free).ok_or("range is full")?;

        self.used.last_port = Some(port);
        self.fresh.insert(port);
        Ok(port)
    }

    /// Refuses a cluster IP that another Service uses.
    pub(super) fn check_address(&self, wanted: IpAddr) -> Result<(), String> {
        if self.used.addresses.contains(&wanted) {
            return Err(format!(
                "failed to allocate IP {wanted}: provided IP is already allocated"
            ));
        }
        Ok(())
    }

    /// Returns the next free cluster IP of a family.
    pub(super) fn next_address(&mut self, is_ipv6: bool) -> Result<IpAddr, String> {
        let start = self.used.last_address.map_or(FIRST_ADDRESS, |last| last.wrapping_add(1));
        let candidates = (start..u16::MAX).chain(FIRST_ADDRESS..start);
        let free = candidates
            .map(|number| (number, address(number, is_ipv6)))
            .find(|(_, address)| !self.used.addresses.contains(address));

        let (number, address) = free.ok_or("range is full")?;
        self.used.last_address = Some(number);
        Ok(address)
    }

    /// Replaces what the former Service uses by what the new one uses.
    pub(crate) fn commit(mut self, before: Option<&Value>, after: Option<&Value>) {
        if let Some(service) = before {
            for port in node_ports::of(service) {
                self.used.ports.remove(&port);
            }
            for address in cluster_ips::of(service) {
                self.used.addresses.remove(&address);
            }
        }
        if let Some(service) = after {
            self.used.ports.extend(node_ports::of(service));
            self.used.addresses.extend(cluster_ips::of(service));
        }
    }
}

fn address(number: u16, is_ipv6: bool) -> IpAddr {
    if is_ipv6 {
        return Ipv6Addr::new(0xfd00, 0x96, 0, 0, 0, 0, 0, number).into();
    }
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 96, high, low).into()
}

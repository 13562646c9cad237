//! The encoders to compare. Each prepares its object, and then writes one UPDATE repeatedly.

mod ours;
#[cfg(feature = "peers")]
mod peers;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_core::wire::{Frame, NextHop, PathAttributes, Update, WireContext};
use bgp_core::{AfiSafi, IpNet, PeerType};
use bytes::{Bytes, BytesMut};

use crate::append;
use crate::streams::metallb_attributes;

/// An UPDATE to write: an announcement of a load balancer, with some prefixes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Task {
    /// The name: the number and length of the prefixes.
    pub name: String,
    /// The attributes, including the next hop.
    pub attributes: PathAttributes,
    /// The prefixes, all of one family.
    pub prefixes: Vec<IpNet>,
}

/// All tasks: for IPv4, and for IPv6 in an MP_REACH_NLRI.
#[must_use]
pub fn tasks() -> Vec<Task> {
    let v4 = [(1, 32), (5, 24), (200, 24)];
    let v6 = [(1, 128), (5, 48), (200, 48)];
    let v4 = v4.map(|(count, length)| Task::new(count, length, Ipv4Addr::new(10, 0, 0, 0).into()));
    let base = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0);
    let v6 = v6.map(|(count, length)| Task::new(count, length, base.into()));
    v4.into_iter().chain(v6).collect()
}

impl Task {
    /// A task with `count` prefixes of a length, starting at an address.
    fn new(count: u32, length: u8, from: IpAddr) -> Self {
        let mut attributes = metallb_attributes();
        if from.is_ipv6() {
            let next_hop = Ipv6Addr::new(0xfc00, 0xf853, 0xccd, 0xe793, 0, 0, 0, 3);
            attributes.next_hop = Some(next_hop.into());
        }

        let addresses = (0..count).map(|number| match from {
            IpAddr::V4(from) => {
                IpAddr::from((u32::from(from) + (number << (32 - length))).to_be_bytes())
            }
            IpAddr::V6(from) => {
                let offset = u128::from(number) << (128 - length);
                IpAddr::from((u128::from(from) + offset).to_be_bytes())
            }
        });
        let prefixes = addresses.map(|address| IpNet::new_assert(address, length)).collect();
        Self { name: format!("{count} x /{length}"), attributes, prefixes }
    }

    /// The context of the session.
    #[must_use]
    pub const fn cx(&self) -> WireContext {
        WireContext::new(PeerType::External)
            .four_octet_as(true)
            .multiprotocol(AfiSafi::IPV6_UNICAST, true)
    }

    /// The family of the prefixes.
    #[must_use]
    pub fn family(&self) -> AfiSafi {
        match self.next_hop() {
            NextHop::V4(_) => AfiSafi::IPV4_UNICAST,
            NextHop::V6 { .. } => AfiSafi::IPV6_UNICAST,
        }
    }

    /// The next hop.
    #[must_use]
    pub fn next_hop(&self) -> NextHop {
        self.attributes.next_hop.unwrap_or(NextHop::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// The difference between these octets and the task; `None` if they are exactly the UPDATE to write.
    #[must_use]
    pub fn difference(&self, octets: &[u8]) -> Option<String> {
        let cx = self.cx();
        let frame = match Frame::split(octets, cx.limit()) {
            Ok(Some(frame)) if frame.as_bytes().len() == octets.len() => frame,
            other => return Some(format!("not a message: {other:?}")),
        };
        let update = match Update::decode(frame, cx) {
            Ok(update) => update,
            Err(error) => return Some(format!("an UPDATE that ends the session: {error}")),
        };
        if let Some(finding) = update.findings().next() {
            return Some(format!("an UPDATE with an error: {finding:?}"));
        }

        let attributes = update.to_attributes();
        if attributes.as_path != self.attributes.as_path {
            let (written, expected) = (&attributes.as_path, &self.attributes.as_path);
            return Some(format!("the AS_PATH {written} instead of {expected}"));
        }
        if attributes != self.attributes {
            return Some(format!("different attributes: {attributes:?}"));
        }

        let same = update.reachable().eq(self.prefixes.iter().copied());
        (!same || update.unreachable().count() > 0).then(|| "different prefixes".to_owned())
    }
}

/// A way to encode UPDATEs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Encoder {
    /// The name in the table.
    pub name: &'static str,
    /// Prepares the encoder for a task, with the size of its buffer if it has one.
    pub ready: for<'a> fn(&'a Task, usize) -> Box<dyn Encode + 'a>,
}

/// An encoder that is prepared for a task.
pub trait Encode {
    /// Writes the UPDATE a number of times.
    fn write(&mut self, times: usize);

    /// The last UPDATE.
    fn octets(&self) -> &[u8];
}

/// All encoders; the first appends by hand and is the reference for the others.
#[must_use]
pub fn all() -> Vec<Encoder> {
    let mut all = vec![
        Encoder { name: "append by hand", ready: by_hand },
        Encoder { name: "bgp-core, from PathAttributes", ready: ours::from_attributes },
        Encoder { name: "bgp-core, block encoded before", ready: ours::from_block },
        Encoder { name: "the same, one prefix at a time", ready: ours::one_by_one },
    ];
    #[cfg(feature = "peers")]
    all.extend(peers::ALL);
    all.shrink_to_fit();
    all
}

fn by_hand(task: &Task, capacity: usize) -> Box<dyn Encode + '_> {
    ready(Vec::with_capacity(capacity), move |out| {
        append::update(out, black_box(&task.attributes), black_box(&task.prefixes));
    })
}

/// The output of an encoder: a buffer that is reused, or the result of the encoder.
trait Buffer: AsRef<[u8]> {
    fn clear(&mut self);
}

impl Buffer for Vec<u8> {
    fn clear(&mut self) {
        self.clear();
    }
}

impl Buffer for BytesMut {
    fn clear(&mut self) {
        self.clear();
    }
}

impl Buffer for Bytes {
    fn clear(&mut self) {
        self.clear();
    }
}

struct Ready<B, F> {
    buffer: B,
    encode: F,
}

impl<B: Buffer, F: FnMut(&mut B)> Encode for Ready<B, F> {
    fn write(&mut self, times: usize) {
        for _ in 0..times {
            self.buffer.clear();
            (self.encode)(&mut self.buffer);
            black_box(&self.buffer);
        }
    }

    fn octets(&self) -> &[u8] {
        self.buffer.as_ref()
    }
}

/// Makes an encoder from a function that writes into an empty buffer.
fn ready<'a, B: Buffer + 'a>(buffer: B, encode: impl FnMut(&mut B) + 'a) -> Box<dyn Encode + 'a> {
    Box::new(Ready { buffer, encode })
}

//! Decoders and encoders of UPDATEs.

use std::hint::black_box;
use std::net::Ipv4Addr;

use bench_growth::tables::{self, Order};
use bgp_core::wire::{
    AsPath, AttributeBlock, Community, Frame, NextHop, OwnedUpdate, PathAttributes, Update,
    UpdateWriter, WireContext,
};
use bgp_core::{AfiSafi, Asn, IpNet, PeerType};
use bytes::BytesMut;

use super::{Prepared, Work};

/// The sizes of a stream.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// The prefixes of each UPDATE.
const PREFIXES: u32 = 5;

pub(super) const WORKS: &[Work] = &[
    Work::all("decode, view", "UPDATEs", SIZES, view).checked(1_000),
    Work::all("decode, owned", "UPDATEs", SIZES, owned).checked(1_000),
    Work::all("decode, PathAttributes", "UPDATEs", SIZES, path_attributes),
    Work::all("encode from PathAttributes", "UPDATEs", SIZES, from_attributes).checked(1_000),
    Work::all("encode from a block", "UPDATEs", SIZES, from_block).checked(1_000),
];

fn view(size: usize) -> Prepared {
    decoding(size, |frame, cx| Update::decode(frame, cx).map_or(0, |update| visit(&update)))
}

fn owned(size: usize) -> Prepared {
    decoding(size, |frame, cx| {
        OwnedUpdate::decode(frame, cx).map_or(0, |update| visit(&update.view()))
    })
}

fn path_attributes(size: usize) -> Prepared {
    decoding(size, |frame, cx| {
        Update::decode(frame, cx)
            .map_or(0, |update| black_box(update.to_attributes()).communities.len())
    })
}

/// Decodes a stream, message by message.
fn decoding(size: usize, decode: fn(Frame<'_>, WireContext) -> usize) -> Prepared {
    let octets = tables::updates(count(size) * PREFIXES, PREFIXES, Order::Sorted);
    let cx = context();
    Prepared::once(move || {
        let (mut rest, mut updates, mut values) = (&*octets, 0, 0);
        while let Ok(Some(frame)) = Frame::split(rest, cx.limit()) {
            values += decode(frame, cx);
            updates += 1;
            rest = &rest[frame.as_bytes().len()..];
        }
        assert_eq!(updates, size, "the stream is decoded to its end");
        values
    })
}

/// Visits the prefixes, hops and communities of an UPDATE.
fn visit(update: &Update<'_>) -> usize {
    let hops = update.as_path().into_iter().flat_map(|path| path.segments());
    let hops = hops.map(|segment| segment.asns.count()).sum::<usize>();
    hops + update.communities().count()
        + update.nlri().map(|prefix| usize::from(prefix.prefix_len())).sum::<usize>()
}

fn from_attributes(size: usize) -> Prepared {
    let (cx, attributes, prefixes) = (context(), attributes(), prefixes());
    encoding(size, move |out| {
        let next_hop = NextHop::V4(Ipv4Addr::new(192, 0, 2, 1));
        let attributes = black_box(&attributes);
        let mut update =
            UpdateWriter::reach_with(out, AfiSafi::IPV4_UNICAST, &next_hop, attributes, cx);
        update.push_all(black_box(&prefixes));
        update.finish();
    })
}

fn from_block(size: usize) -> Prepared {
    let (cx, prefixes, mut block) = (context(), prefixes(), AttributeBlock::new());
    block.encode(&attributes(), cx);
    encoding(size, move |out| {
        let next_hop = NextHop::V4(Ipv4Addr::new(192, 0, 2, 1));
        let mut update =
            UpdateWriter::reach(out, AfiSafi::IPV4_UNICAST, &next_hop, black_box(&block), cx);
        update.push_all(black_box(&prefixes));
        update.finish();
    })
}

/// Encodes an UPDATE `size` times into a buffer that is reused.
fn encoding(size: usize, encode: impl Fn(&mut BytesMut) + 'static) -> Prepared {
    let mut buffer = BytesMut::with_capacity(8_192);
    Prepared::once(move || {
        for _ in 0..size {
            buffer.clear();
            encode(&mut buffer);
            black_box(&buffer);
        }
        buffer
    })
}

fn attributes() -> PathAttributes {
    PathAttributes {
        as_path: AsPath::sequence([Asn(64_512)]),
        next_hop: Some(NextHop::V4(Ipv4Addr::new(192, 0, 2, 1))),
        communities: vec![Community::new(64_512, 100), Community::new(64_512, 200)],
        ..PathAttributes::default()
    }
}

fn prefixes() -> Vec<IpNet> {
    (0..PREFIXES).map(tables::prefix).collect()
}

fn context() -> WireContext {
    WireContext::new(PeerType::External).four_octet_as(true)
}

fn count(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

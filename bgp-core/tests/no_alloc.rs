//! Zero copy, verified by an allocator that counts.

#![expect(unsafe_code, reason = "a counting global allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use bgp_core::wire::{
    AsPath, AttributeBlock, Community, ExtendedCommunity, Frame, Ipv6ExtendedCommunity,
    LargeCommunity, Message, MessageLimit, NextHop, OwnedUpdate, PathAttributes, Update,
    UpdateWriter, WireContext, encode_end_of_rib, encode_keepalive,
};
use bgp_core::{AfiSafi, Asn, IpNet, PeerType};
use bytes::BytesMut;

/// The system's allocator, with a count of the allocations of this thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting only accesses a thread-local cell.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller follows the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller follows the contract of `GlobalAlloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller follows the contract of `GlobalAlloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The number of allocations by `work`.
fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

fn context() -> WireContext {
    WireContext::new(PeerType::External)
        .four_octet_as(true)
        .multiprotocol(AfiSafi::IPV6_UNICAST, true)
}

fn attributes() -> PathAttributes {
    PathAttributes {
        as_path: AsPath::sequence((1..=20).map(Asn)),
        med: Some(5),
        communities: (0..100).map(Community).collect(),
        extended_communities: (0..30).map(|n| ExtendedCommunity([n; 8])).collect(),
        ipv6_extended_communities: (0..10).map(|n| Ipv6ExtendedCommunity([n; 20])).collect(),
        large_communities: (0..40).map(|n| LargeCommunity::new(1, 2, n)).collect(),
        ..PathAttributes::default()
    }
}

/// Two hundred prefixes of each family, with a next hop.
fn tables() -> [(AfiSafi, NextHop, Vec<IpNet>); 2] {
    let v4 = (0..200u8).map(|n| IpNet::new([10, 0, n, 0].into(), 24).unwrap()).collect();
    let v6 = (0..200u16)
        .map(|n| IpNet::new([0x2001, 0xdb8, n, 0, 0, 0, 0, 0].into(), 48).unwrap())
        .collect();
    let next_hop =
        NextHop::V6 { global: [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(), link_local: None };
    [
        (AfiSafi::IPV4_UNICAST, NextHop::V4([10, 0, 0, 1].into()), v4),
        (AfiSafi::IPV6_UNICAST, next_hop, v6),
    ]
}

/// Encodes all messages of both tables.
fn write(
    out: &mut BytesMut,
    block: &mut AttributeBlock,
    attributes: &PathAttributes,
    tables: &[(AfiSafi, NextHop, Vec<IpNet>)],
) {
    let cx = context();
    block.encode(attributes, cx);
    for (family, next_hop, prefixes) in tables {
        let mut writer = UpdateWriter::reach(out, *family, next_hop, block, cx);
        assert!(prefixes.iter().all(|prefix| writer.push(*prefix)));
        writer.finish();
        let mut writer = UpdateWriter::reach_with(out, *family, next_hop, attributes, cx);
        assert_eq!(writer.push_all(prefixes), prefixes.len());
        writer.finish();
        let mut writer = UpdateWriter::unreach(out, *family, cx);
        assert_eq!(writer.push_all(prefixes), prefixes.len());
        writer.finish();
        encode_end_of_rib(out, *family);
    }
    encode_keepalive(out);
}

/// Visits every prefix, hop and community, and returns their number.
fn visit(update: &Update<'_>) -> usize {
    let path = update.as_path().map_or(0, |path| path.asns().map(black_box).count());
    let hops = update.as_path().map_or(0, |path| path.hop_count());
    let communities = update.communities().map(black_box).count()
        + update.large_communities().map(black_box).count()
        + update.extended_communities().map(black_box).count()
        + update.ipv6_extended_communities().map(black_box).count()
        + update.cluster_list().map(black_box).count();
    let prefixes = update.reachable().map(black_box).count()
        + update.unreachable().with_path_ids().map(black_box).count();
    let next_hop = update.mp_reach().and_then(|reach| reach.next_hop());
    black_box((next_hop, update.next_hop(), update.origin(), update.med(), update.end_of_rib()));
    path + hops + communities + prefixes + update.findings().count() + update.attributes().count()
}

#[test]
fn decoding_and_visiting_everything_allocates_nothing() {
    let (mut out, mut block) = (BytesMut::new(), AttributeBlock::new());
    write(&mut out, &mut block, &attributes(), &tables());
    let mut visited = 0;
    let mut messages = 0;
    let count = allocations(|| {
        let mut rest = &out[..];
        while let Ok(Some(frame)) = Frame::split(rest, MessageLimit::Standard) {
            rest = &rest[frame.as_bytes().len()..];
            messages += 1;
            if let Ok(Message::Update(update)) = Message::decode(frame, context()) {
                visited += visit(&update);
            }
        }
    });
    assert_eq!(messages, 9);
    assert!(visited > 1_000, "{visited}");
    assert_eq!(count, 0);
}

#[test]
fn an_owned_update_is_one_allocation_and_its_view_none() {
    let (mut out, mut block) = (BytesMut::new(), AttributeBlock::new());
    write(&mut out, &mut block, &attributes(), &tables());
    let frame = Frame::split(&out, MessageLimit::Standard).unwrap().unwrap();
    let mut kept = None;
    assert_eq!(allocations(|| kept = OwnedUpdate::decode(frame, context()).ok()), 1);
    let kept = kept.unwrap();
    let seen = visit(&Update::decode(frame, context()).unwrap());
    assert_eq!(allocations(|| assert_eq!(visit(&kept.view()), seen)), 0);
    let mut again = None;
    assert_eq!(allocations(|| again = Some(kept.clone())), 1);
    assert_eq!(again, Some(kept));
}

#[test]
fn an_owned_update_that_is_replaced_by_one_not_longer_allocates_nothing() {
    let (mut out, mut block) = (BytesMut::new(), AttributeBlock::new());
    write(&mut out, &mut block, &attributes(), &tables());
    let first = Frame::split(&out, MessageLimit::Standard).unwrap().unwrap();
    let mut kept = OwnedUpdate::decode(first, context()).unwrap();

    let mut rest = &out[..];
    let count = allocations(|| {
        while let Some(frame) = Frame::split(rest, MessageLimit::Standard).unwrap() {
            rest = &rest[frame.as_bytes().len()..];
            let longer = frame.as_bytes().len() > first.as_bytes().len();
            if longer || Update::decode(frame, context()).is_err() {
                continue;
            }
            kept.replace(frame, context()).unwrap();
            assert_eq!(kept.as_octets(), frame.as_bytes());
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn an_owned_update_stays_when_its_replacement_ends_the_session() {
    let (mut out, mut block) = (BytesMut::new(), AttributeBlock::new());
    write(&mut out, &mut block, &attributes(), &tables());
    let frame = Frame::split(&out, MessageLimit::Standard).unwrap().unwrap();
    let mut kept = OwnedUpdate::decode(frame, context()).unwrap();
    let before = kept.clone();

    let mut octets = vec![0xff; 16];
    octets.extend([0, 29, 2, 0, 0, 0, 6, 0xc0, 8, 3, 1, 2, 3]);
    let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
    assert!(kept.replace(frame, context()).is_err());
    assert_eq!(kept, before);
    assert_eq!(visit(&kept.view()), visit(&before.view()));
}

#[test]
fn errors_allocate_nothing_until_a_notification_is_created() {
    let mut octets = vec![0xff; 16];
    octets.extend([0, 29, 2, 0, 0, 0, 6, 0xc0, 8, 3, 1, 2, 3]);
    let count = allocations(|| {
        let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
        assert!(Update::decode(frame, context()).is_err());
    });
    assert_eq!(count, 0);
}

#[test]
fn encoding_into_a_used_buffer_allocates_nothing() {
    let (mut out, mut block) = (BytesMut::new(), AttributeBlock::new());
    let (attributes, tables) = (attributes(), tables());
    write(&mut out, &mut block, &attributes, &tables);
    let first = out.clone();
    out.clear();
    let count = allocations(|| write(&mut out, &mut block, &attributes, &tables));
    assert_eq!(out, first);
    assert_eq!(count, 0);
}

#[test]
fn encoding_repeated_or_unordered_large_communities_allocates_nothing() {
    let large_communities: Vec<_> =
        (0..64).rev().map(|n| LargeCommunity::new(1, 2, n / 2)).collect();
    let attributes = PathAttributes { large_communities, ..PathAttributes::default() };
    let mut block = AttributeBlock::new();
    block.encode(&attributes, context());
    assert_eq!(allocations(|| block.encode(&attributes, context())), 0);
    assert!(block.len() > 32 * 12 && block.len() < 33 * 12, "{}", block.len());
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(Vec::<u8>::with_capacity(1)))), 1);
}

//! Encoders side by side: the object is ready, the buffer is reused, one UPDATE of 1, 5 and 200 prefixes.
//! `cargo bench -p benches --bench encode [-- [--rounds N]]`.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::hint::black_box;
use std::net::Ipv4Addr;

use benches::alloc::Counting;
use benches::append;
use benches::arguments::Arguments;
use benches::measure::{Measured, contestant, measure};
use benches::streams::metallb_attributes;
use benches::table::markdown;
use bgp_core::wire::{AttributeBlock, NextHop, PathAttributes, UpdateWriter, WireContext};
use bgp_core::{AfiSafi, IpNet, Ipv4Net, PeerType};
use bytes::BytesMut;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// UPDATEs in one pass.
const UPDATES: usize = 10_000;
/// Octets of a buffer, the same for every contestant. What is allocated after a buffer has its addresses moved by its
/// size, and processors take loads and stores whose addresses end alike for the same: so that no one size decides, the
/// middle one of them all is told.
const BUFFERS: [usize; 5] = [4_096, 4_096 + 464, 4_096 + 1_000, 4_096 + 2_048, 4_096 + 3_184];

fn main() {
    let arguments = Arguments::of_program();
    let attributes = metallb_attributes();
    let cx = WireContext::new(PeerType::External).four_octet_as(true);
    let mut rows = Vec::new();
    for (count, length) in [(1, 32), (5, 24), (200, 24)] {
        let prefixes: Vec<_> = (0..count).map(|number| prefix(number, length)).collect();
        check(&attributes, &prefixes, cx);
        let by_size = BUFFERS.map(|size| {
            let mut contestants = [
                by_hand(&attributes, &prefixes, size),
                from_attributes(&attributes, &prefixes, cx, size),
                from_block(&attributes, &prefixes, cx, size, all_at_once),
                from_block(&attributes, &prefixes, cx, size, one_by_one),
            ];
            measure(&mut contestants, arguments.rounds)
        });
        let names = [
            "append by hand",
            "bgp-core, from PathAttributes",
            "bgp-core, block encoded before",
            "the same, one prefix at a time",
        ];
        for (index, name) in names.iter().enumerate() {
            let of = |time: fn(&Measured) -> f64| {
                middle(by_size.each_ref().map(|all| time(&all[index])))
            };
            let to_append = |time: fn(&Measured) -> f64| {
                middle(by_size.each_ref().map(|all| time(&all[index]) / time(&all[0])))
            };
            let allocations = by_size.iter().map(|all| all[index].allocations).max().unwrap_or(0);
            rows.push(vec![
                format!("{name}, {count} x /{length}"),
                format!("{:.1}", of(Measured::median) * 1e9 / UPDATES as f64),
                format!("{:.1}", of(Measured::least) * 1e9 / UPDATES as f64),
                format!("{:.2}", to_append(Measured::median)),
                format!("{:.2}", to_append(Measured::least)),
                format!("{:.4}", allocations as f64 / UPDATES as f64),
            ]);
        }
    }
    let columns =
        ["encoder", "ns/UPDATE", "least", "to append", "of least times", "allocations/UPDATE"];
    print!("{}", markdown(&columns, &rows));
}

/// The value in the middle.
fn middle(mut values: [f64; BUFFERS.len()]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn prefix(number: u32, length: u8) -> IpNet {
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + (number << (32 - length)));
    IpNet::V4(Ipv4Net::new_assert(address, length))
}

fn by_hand<'a>(
    attributes: &'a PathAttributes,
    prefixes: &'a [IpNet],
    size: usize,
) -> Box<dyn FnMut() + 'a> {
    let mut out = Vec::with_capacity(size);
    contestant(move || {
        for _ in 0..UPDATES {
            out.clear();
            append::update(&mut out, black_box(attributes), black_box(prefixes));
            black_box(&out);
        }
    })
}

fn from_attributes<'a>(
    attributes: &'a PathAttributes,
    prefixes: &'a [IpNet],
    cx: WireContext,
    size: usize,
) -> Box<dyn FnMut() + 'a> {
    let (mut out, mut block) = (BytesMut::with_capacity(size), AttributeBlock::new());
    contestant(move || {
        for _ in 0..UPDATES {
            out.clear();
            block.encode(black_box(attributes), cx);
            write(&mut out, attributes, &block, black_box(prefixes), cx, all_at_once);
            black_box(&out);
        }
    })
}

fn from_block<'a>(
    attributes: &'a PathAttributes,
    prefixes: &'a [IpNet],
    cx: WireContext,
    size: usize,
    push: impl Fn(&mut UpdateWriter<'_>, &[IpNet]) + Copy + 'a,
) -> Box<dyn FnMut() + 'a> {
    let (mut out, mut block) = (BytesMut::with_capacity(size), AttributeBlock::new());
    block.encode(attributes, cx);
    contestant(move || {
        for _ in 0..UPDATES {
            out.clear();
            write(&mut out, attributes, black_box(&block), black_box(prefixes), cx, push);
            black_box(&out);
        }
    })
}

#[inline]
fn write(
    out: &mut BytesMut,
    attributes: &PathAttributes,
    block: &AttributeBlock,
    prefixes: &[IpNet],
    cx: WireContext,
    push: impl Fn(&mut UpdateWriter<'_>, &[IpNet]),
) {
    let next_hop = attributes.next_hop.unwrap_or(NextHop::V4(Ipv4Addr::UNSPECIFIED));
    let mut update = UpdateWriter::reach(out, AfiSafi::IPV4_UNICAST, &next_hop, block, cx);
    push(&mut update, prefixes);
    update.finish();
}

/// As many prefixes as there are, in one call.
#[inline]
fn all_at_once(update: &mut UpdateWriter<'_>, prefixes: &[IpNet]) {
    update.push_all(prefixes);
}

/// As a session does it.
#[inline]
fn one_by_one(update: &mut UpdateWriter<'_>, prefixes: &[IpNet]) {
    for prefix in prefixes {
        update.push_with_path_id(*prefix, 0);
    }
}

/// All of them write the same octets.
fn check(attributes: &PathAttributes, prefixes: &[IpNet], cx: WireContext) {
    let (mut hand, mut ours, mut block) = (Vec::new(), BytesMut::new(), AttributeBlock::new());
    append::update(&mut hand, attributes, prefixes);
    block.encode(attributes, cx);
    for push in [all_at_once, one_by_one] {
        ours.clear();
        write(&mut ours, attributes, &block, prefixes, cx, push);
        assert_eq!(hand, ours, "the encoders do not agree");
    }
}

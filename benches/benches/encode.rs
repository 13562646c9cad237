//! Encoders side by side: the object is ready, the buffer is reused, one UPDATE of 1, 5 and 200 prefixes.
//! `cargo bench -p benches --bench encode [-- [--rounds N]]`.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::hint::black_box;
use std::net::Ipv4Addr;

use benches::alloc::Counting;
use benches::append;
use benches::arguments::Arguments;
use benches::measure::{contestant, measure};
use benches::streams::metallb_attributes;
use benches::table::markdown;
use bgp_core::wire::{AttributeBlock, NextHop, PathAttributes, UpdateWriter, WireContext};
use bgp_core::{AfiSafi, IpNet, Ipv4Net, PeerType};
use bytes::BytesMut;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// UPDATEs in one pass.
const UPDATES: usize = 10_000;
/// Octets of a buffer. Not of a page: what is allocated after it would then have its addresses but for a few octets, and
/// processors take loads and stores whose addresses end alike for the same.
const BUFFER: usize = 4_096 + 1_000;

fn main() {
    let arguments = Arguments::of_program();
    let attributes = metallb_attributes();
    let cx = WireContext::new(PeerType::External).four_octet_as(true);
    let mut rows = Vec::new();
    for (count, length) in [(1, 32), (5, 24), (200, 24)] {
        let prefixes: Vec<_> = (0..count).map(|number| prefix(number, length)).collect();
        check(&attributes, &prefixes, cx);
        let mut contestants = [
            by_hand(&attributes, &prefixes),
            from_attributes(&attributes, &prefixes, cx),
            from_block(&attributes, &prefixes, cx),
        ];
        let measured = measure(&mut contestants, arguments.rounds);
        let limit = measured[0].median();
        let names =
            ["append by hand", "bgp-core, from PathAttributes", "bgp-core, block encoded before"];
        for (name, measured) in names.iter().zip(&measured) {
            rows.push(vec![
                format!("{name}, {count} x /{length}"),
                format!("{:.1}", measured.median() * 1e9 / UPDATES as f64),
                format!("{:.1}", measured.least() * 1e9 / UPDATES as f64),
                format!("{:.2}", measured.median() / limit),
                format!("{:.4}", measured.allocations as f64 / UPDATES as f64),
            ]);
        }
    }
    print!(
        "{}",
        markdown(&["encoder", "ns/UPDATE", "least", "to append", "allocations/UPDATE"], &rows)
    );
}

fn prefix(number: u32, length: u8) -> IpNet {
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + (number << (32 - length)));
    IpNet::V4(Ipv4Net::new_assert(address, length))
}

fn by_hand<'a>(attributes: &'a PathAttributes, prefixes: &'a [IpNet]) -> Box<dyn FnMut() + 'a> {
    let mut out = Vec::with_capacity(BUFFER);
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
) -> Box<dyn FnMut() + 'a> {
    let (mut out, mut block) = (BytesMut::with_capacity(BUFFER), AttributeBlock::new());
    contestant(move || {
        for _ in 0..UPDATES {
            out.clear();
            block.encode(black_box(attributes), cx);
            write(&mut out, attributes, &block, black_box(prefixes), cx);
            black_box(&out);
        }
    })
}

fn from_block<'a>(
    attributes: &'a PathAttributes,
    prefixes: &'a [IpNet],
    cx: WireContext,
) -> Box<dyn FnMut() + 'a> {
    let (mut out, mut block) = (BytesMut::with_capacity(BUFFER), AttributeBlock::new());
    block.encode(attributes, cx);
    contestant(move || {
        for _ in 0..UPDATES {
            out.clear();
            write(&mut out, attributes, black_box(&block), black_box(prefixes), cx);
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
) {
    let next_hop = attributes.next_hop.unwrap_or(NextHop::V4(Ipv4Addr::UNSPECIFIED));
    let mut update = UpdateWriter::reach(out, AfiSafi::IPV4_UNICAST, &next_hop, block, cx);
    update.push_all(prefixes);
    update.finish();
}

/// All of them write the same octets.
fn check(attributes: &PathAttributes, prefixes: &[IpNet], cx: WireContext) {
    let (mut hand, mut ours, mut block) = (Vec::new(), BytesMut::new(), AttributeBlock::new());
    append::update(&mut hand, attributes, prefixes);
    block.encode(attributes, cx);
    write(&mut ours, attributes, &block, prefixes, cx);
    assert_eq!(hand, ours, "the encoders do not agree");
}

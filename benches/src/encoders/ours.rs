//! bgp-core by its public API, as an application would call it.

use std::hint::black_box;

use bgp_core::wire::{AttributeBlock, UpdateWriter};
use bytes::BytesMut;

use super::{Encode, Task, ready};

/// Writes an UPDATE and encodes the attributes into it.
pub(super) fn from_attributes(task: &Task, capacity: usize) -> Box<dyn Encode + '_> {
    let (cx, family, next_hop) = (task.cx(), task.family(), task.next_hop());
    ready(BytesMut::with_capacity(capacity), move |out| {
        let attributes = black_box(&task.attributes);
        let mut update = UpdateWriter::reach_with(out, family, &next_hop, attributes, cx);
        update.push_all(black_box(&task.prefixes));
        update.finish();
    })
}

/// Writes an UPDATE with attributes that were encoded once for a group of routes.
pub(super) fn from_block(task: &Task, capacity: usize) -> Box<dyn Encode + '_> {
    with_block(task, capacity, |update| {
        update.push_all(black_box(&task.prefixes));
    })
}

/// The same as [`from_block`], but pushes the prefixes one by one.
pub(super) fn one_by_one(task: &Task, capacity: usize) -> Box<dyn Encode + '_> {
    with_block(task, capacity, |update| {
        for prefix in black_box(&task.prefixes) {
            update.push(*prefix);
        }
    })
}

#[inline(always)]
fn with_block<'a>(
    task: &'a Task,
    capacity: usize,
    push: impl Fn(&mut UpdateWriter<'_>) + 'a,
) -> Box<dyn Encode + 'a> {
    let (cx, family, next_hop) = (task.cx(), task.family(), task.next_hop());
    let mut block = AttributeBlock::new();
    block.encode(&task.attributes, cx);

    ready(BytesMut::with_capacity(capacity), move |out| {
        let mut update = UpdateWriter::reach(out, family, &next_hop, black_box(&block), cx);
        push(&mut update);
        update.finish();
    })
}

//! Messages: octets in, views out; values in, octets out.
//!
//! This module owns how BGP-4 looks on the wire (RFC 4271 section 4 and its successors) and what is wrong with a message
//! (RFC 4271 section 6, RFC 7606). It does not know what to do about it: no state, no timers, no routes.
//!
//! # Reading
//!
//! ```text
//!  stream of octets        Frame::split            Message::decode
//!  ─────────────────► one whole message ──────────► Open, Update<'_>, Notification, Keepalive, RouteRefresh
//!                     (header is right)   with a
//!                                         WireContext: what the session negotiated
//! ```
//!
//! ```
//! use bgp_core::wire::{Frame, Message, MessageLimit, WireContext};
//!
//! // Two withdrawn routes: 10.0.0.0/8 and 172.16.0.0/12.
//! let mut octets = vec![0xff; 16];
//! octets.extend([0, 28, 2, 0, 5, 8, 10, 12, 172, 16, 0, 0]);
//!
//! let frame = Frame::split(&octets, MessageLimit::Standard)?.expect("a whole message");
//! let Message::Update(update) = Message::decode(frame, WireContext::default())? else { panic!() };
//! let gone: Vec<_> = update.unreachable().map(|prefix| prefix.to_string()).collect();
//! assert_eq!(gone, ["10.0.0.0/8", "172.16.0.0/12"]);
//! # Ok::<(), bgp_core::wire::DecodeError>(())
//! ```
//!
//! An [`Update`] borrows the octets. Everything in it was checked once, so that its iterators and getters cannot fail,
//! and nothing in it was copied: decoding allocates nothing. The other messages are rare and own what they hold.
//!
//! # Writing
//!
//! [`AttributeBlock`] holds the attributes of a group of routes, encoded once; [`UpdateWriter`] puts them and as many
//! prefixes as fit into one message at the end of the caller's buffer. The other messages have an `encode` of their own.
//!
//! # How a message looks
//!
//! Numbers are big-endian; widths below are in octets.
//!
//! ## The header of every message (RFC 4271 section 4.1)
//!
//! ```text
//! ┌──────────────────────────────┬────────┬──────┬───────────────
//! │ marker: 16 × ff              │ length │ type │ body ...
//! └──────────────────────────────┴────────┴──────┴───────────────
//!   16                             2        1
//! ```
//!
//! The length counts the header: from 19, a KEEPALIVE, to 4,096, or 65,535 for what follows the OPENs of two speakers
//! that both said so (RFC 8654).
//!
//! ## OPEN (type 1)
//!
//! ```text
//! ┌───┬───────┬───────────┬────────────┬─────┬───────────────────────────────────────────────┐
//! │ 4 │ my AS │ hold time │ identifier │ len │ 2 len ┌──────┬─────┬───────┬──────┬─────┬────┐ │ ...
//! │   │       │           │            │     │       │ code │ len │ value │ code │ len │ .. │ │
//! └───┴───────┴───────────┴────────────┴─────┴───────┴──────┴─────┴───────┴──────┴─────┴────┴─┘
//!   1   2       2           4            1     parameter 2: capabilities (RFC 5492)
//! ```
//!
//! "My AS" has two octets: a speaker whose number is longer writes AS_TRANS, 23456, and tells the truth in capability 65
//! (RFC 6793). Where the parameters need more than 255 octets, `len` is 255, a 255 follows in the place of the first
//! parameter's type, and all lengths but those of capabilities have two octets (RFC 9072).
//!
//! ## UPDATE (type 2)
//!
//! ```text
//! ┌─────┬──────────────────┬─────┬──────────────────────────────────────────┬────────────────┐
//! │ len │ withdrawn routes │ len │ path attributes                          │ NLRI           │
//! └─────┴────────┬─────────┴─────┴────────────────────┬─────────────────────┴────────┬───────┘
//!   2            │           2                        │                              │ up to the end
//!      ┌─────────▼─────────┐       ┌───────┬──────┬───▼──┬─────────┐        ┌────────▼──────────┐
//!      │ bits │ ⌈bits / 8⌉ │ ...   │ flags │ code │ len  │ value   │ ...    │ bits │ ⌈bits / 8⌉ │ ...
//!      └───────────────────┘       └───────┴──────┴──────┴─────────┘        └───────────────────┘
//!        1      0 to 4               1       1      1 or 2
//!
//!      flags: 80 optional · 40 transitive · 20 partial · 10 the length has two octets
//! ```
//!
//! All prefixes of the NLRI have the attributes of the message, and the next hop of the attribute NEXT_HOP. With
//! ADD-PATH (RFC 7911) each prefix has a path identifier of four octets before it.
//!
//! Both fields are for IPv4 unicast alone. Routes of any family stand inside two attributes (RFC 4760):
//!
//! ```text
//!                   ┌─────┬──────┬─────┬──────────┬───┬──────────┐
//! MP_REACH_NLRI     │ AFI │ SAFI │ len │ next hop │ 0 │ NLRI ... │     announced
//!                   └─────┴──────┴─────┴──────────┴───┴──────────┘
//!                     2     1      1                1
//!                   ┌─────┬──────┬──────────┐
//! MP_UNREACH_NLRI   │ AFI │ SAFI │ NLRI ... │                          withdrawn
//!                   └─────┴──────┴──────────┘
//! ```
//!
//! An UPDATE with nothing in it, or with an MP_UNREACH_NLRI without NLRI, says that all routes of its family were sent:
//! End-of-RIB (RFC 4724).
//!
//! AS_PATH is a row of segments, and so is AS4_PATH:
//!
//! ```text
//! ┌──────┬───────┬────────┬────────┬───
//! │ type │ count │ AS     │ AS     │ ...     type 1 set, 2 sequence, 3 and 4 the same within a confederation
//! └──────┴───────┴────────┴────────┴───
//!   1      1       2 or 4, by what the session negotiated
//! ```
//!
//! ## NOTIFICATION (type 3), KEEPALIVE (type 4), ROUTE-REFRESH (type 5)
//!
//! ```text
//! ┌──────┬─────────┬──────────┐      (the header        ┌─────┬─────────┬──────┐
//! │ code │ subcode │ data ... │       is all)           │ AFI │ subtype │ SAFI │
//! └──────┴─────────┴──────────┘                         └─────┴─────────┴──────┘
//!   1      1                                              2     1         1
//! ```
//!
//! # When something is wrong
//!
//! | where | what the decoder gives |
//! |---|---|
//! | header, OPEN, lengths and prefixes of an UPDATE, MP attributes | a [`DecodeError`]: the session ends with its [`notification`](DecodeError::notification) |
//! | any other attribute | an [`Update`] with a [`treatment`](Update::treatment) by RFC 7606: the attribute is discarded, or the routes count as withdrawn |
//! | an unknown optional attribute, an unknown capability, a family of which only octets are known | nothing is wrong: they are kept as octets |
//!
//! [`Update::reachable`] and [`Update::unreachable`] obey the treatment already.

mod attribute;
mod capability;
mod community;
mod context;
mod encode;
mod error;
mod frame;
pub(crate) mod input;
mod layout;
mod message;
mod nlri;
mod notification;
mod open;
mod path_attributes;
mod route_refresh;
#[cfg(test)]
mod tests;
mod update;

pub use attribute::{
    AsPath, AsPathSegment, AsPathSegmentView, AsPathView, Asns, AttributeCode, AttributeFlags,
    AttributeView, Attributes, ParseAsPathError, SegmentType,
};
pub use capability::{
    AddPath, AddPathMode, Capability, CapabilityCode, CapabilityView, CapabilityViews,
    ExtendedNextHop, GracefulRestart, GracefulRestartFamily, LongLivedFamily, Role,
};
pub use community::{
    Community, ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity, ParseCommunityError,
};
pub use context::WireContext;
pub use encode::{AttributeBlock, UpdateWriter, encode_end_of_rib, encode_keepalive};
pub use error::{DecodeError, ErrorKind, Treatment};
pub use frame::{Frame, HEADER_LENGTH, MessageLimit, MessageType};
pub use layout::UpdateFields;
pub use message::Message;
pub use nlri::{Ipv4Prefixes, Ipv6Prefixes, Prefixes, WithPathIds};
pub use notification::{
    CeaseSubcode, ErrorCode, FsmSubcode, HeaderSubcode, Notification, OpenSubcode, UpdateSubcode,
};
pub use open::Open;
pub use path_attributes::{
    Aggregator, NextHop, Origin, ParseAttributeError, PathAttributes, RawAttribute,
};
pub use route_refresh::{RouteRefresh, RouteRefreshSubtype};
pub use update::{
    Finding, Findings, Items, MpReach, MpUnreach, OwnedUpdate, RoutePrefixes, Update,
};

//! The codec: decodes octets into views of messages, and encodes values into octets.
//!
//! This module owns the wire format of BGP-4 (RFC 4271 section 4 and its successors) and the errors in messages (RFC 4271
//! section 6, RFC 7606). It does not react to errors: it has no state, no timers and no routes.
//!
//! # Reading
//!
//! ```text
//!  stream of octets        Frame::split            Message::decode
//!  ─────────────────► one whole message ──────────► Open, Update<'_>, Notification, Keepalive, RouteRefresh
//!                     with a valid        needs a
//!                     header              WireContext: the negotiated features
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
//! An [`Update`] borrows the octets. Everything in it was checked once, so its iterators and getters cannot fail. Nothing is
//! copied: decoding does not allocate. The other messages are rare and own their data.
//!
//! # Writing
//!
//! [`AttributeBlock`] has the attributes of a group of routes, encoded once; [`UpdateWriter`] writes them and as many
//! prefixes as fit into one message at the end of the caller's buffer. The other messages have an `encode` method.
//!
//! # Message formats
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
//! The length includes the header. It is at least 19, a KEEPALIVE, and at most 4,096, or 65,535 after the OPENs if both
//! speakers have the Extended Message capability (RFC 8654).
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
//! "My AS" has two octets: a speaker with a longer number writes AS_TRANS, 23456, and the real number in capability 65 (RFC
//! 6793). If the parameters need more than 255 octets, `len` is 255, another 255 replaces the first parameter's type, and
//! all lengths except those of capabilities have two octets (RFC 9072).
//!
//! ### The capabilities
//!
//! The columns are code, name, and the value with the widths of its fields; a row that ends in dots repeats.
//!
//! ```text
//!   1 multiprotocol                 │ AFI │ 0 │ SAFI │                                2, 1, 1: once for each family
//!   2 route refresh                 nothing
//!   5 extended next hop             │ AFI │ SAFI │ AFI of the next hop │ ...          2, 2, 2
//!   6 extended message              nothing
//!   9 role                          │ 0 provider .. 4 peer │                          1
//!  64 graceful restart              │ R N · · seconds │ AFI │ SAFI │ F │ ...          4 and 12 bits; 2, 1, 1
//!  65 four-octet AS                 │ AS │                                            4
//!  69 ADD-PATH                      │ AFI │ SAFI │ 1 receive, 2 send, 3 both │ ...    2, 1, 1
//!  70 enhanced route refresh        nothing
//!  71 long-lived graceful restart   │ AFI │ SAFI │ F │ seconds │ ...                  2, 1, 1, 3
//!  73 FQDN                          │ len │ host │ len │ domain │                     1, .., 1, ..
//!  75 software version              │ len │ text │                                    1, ..
//! ```
//!
//! A capability is in force if both sides sent it, except for those about the sender alone: its AS, role, name and restart
//! time. ADD-PATH is in force in a direction if one side sends and the other receives.
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
//! All prefixes of the NLRI have the attributes of the message, and the next hop in NEXT_HOP. With ADD-PATH (RFC 7911), a
//! path identifier of four octets precedes each prefix.
//!
//! Both fields are for IPv4 unicast only. Two attributes have the routes of any family (RFC 4760):
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
//! An empty UPDATE, or one with only an MP_UNREACH_NLRI without NLRI, is an End-of-RIB: all routes of its family were sent
//! (RFC 4724).
//!
//! AS_PATH and AS4_PATH consist of segments:
//!
//! ```text
//! ┌──────┬───────┬────────┬────────┬───
//! │ type │ count │ AS     │ AS     │ ...     type 1 set, 2 sequence, 3 and 4 the same within a confederation
//! └──────┴───────┴────────┴────────┴───
//!   1      1       2 or 4, as negotiated
//! ```
//!
//! ### The path attributes
//!
//! The columns are flags as sent, code, name, and the value with the widths of its fields; a row that ends in dots repeats.
//! On a session with two-octet AS numbers an AS has two octets, except in the AS4 attributes.
//!
//! ```text
//!  40  1 ORIGIN                     │ 0 IGP, 1 EGP, 2 incomplete │                    1
//!  40  2 AS_PATH                    │ type │ count │ AS ... │ ...                      1, 1, 4 each
//!  40  3 NEXT_HOP                   │ IPv4 address │                                  4
//!  80  4 MULTI_EXIT_DISC            │ metric │                                        4
//!  40  5 LOCAL_PREF                 │ preference │                                    4, between internal peers
//!  40  6 ATOMIC_AGGREGATE           nothing
//!  c0  7 AGGREGATOR                 │ AS │ IPv4 address │                             4, 4
//!  c0  8 COMMUNITIES                │ AS │ value │ ...                                2, 2
//!  80  9 ORIGINATOR_ID              │ identifier │                                    4, between internal peers
//!  80 10 CLUSTER_LIST               │ identifier │ ...                                4, between internal peers
//!  80 14 MP_REACH_NLRI              see above
//!  80 15 MP_UNREACH_NLRI            see above
//!  c0 16 EXTENDED_COMMUNITIES       │ type │ subtype │ value │ ...                    1, 1, 6
//!  c0 17 AS4_PATH                   as AS_PATH                                        from old speakers
//!  c0 18 AS4_AGGREGATOR             │ AS │ IPv4 address │                             4, 4, from old speakers
//!  c0 23 TUNNEL_ENCAPSULATION       │ type │ len │ sub-TLVs │ ...                     carried as octets
//!  c0 25 IPV6_EXTENDED_COMMUNITIES  │ type │ subtype │ IPv6 address │ value │ ...     1, 1, 16, 2
//!  80 26 AIGP                       │ 1 │ 11 │ metric │                               1, 2, 8
//!  c0 32 LARGE_COMMUNITIES          │ administrator │ local data │ local data │ ...   4, 4, 4
//!  c0 35 ONLY_TO_CUSTOMER           │ AS │                                            4
//!  c0 40 PREFIX_SID                 │ type │ len │ value │ ...                        carried as octets
//! ```
//!
//! The next hop of an MP_REACH_NLRI has four octets for IPv4 routes. For IPv6 routes it has sixteen, or 32 if both speakers
//! share a link: the global address, then the link-local one (RFC 2545). IPv4 routes may have an IPv6 next hop if both sides
//! have the capability (RFC 8950). In VPN families, eight octets precede each address.
//!
//! ### An example
//!
//! An UPDATE that announces 172.22.35.70/32, as `ferrolb decode` explains it:
//!
//! ```text
//! offset octets                   meaning
//!     0  ffffffffffffffffffffff.. marker
//!    16  0037                     length 55
//!    18  02                       type 2, UPDATE
//!    19  0000                     withdrawn routes, 0 octets
//!    21  001b                     path attributes, 27 octets
//!    23  40 01 01 00              ORIGIN igp
//!    27  40 02 06 02010000fc7c    AS_PATH 64636: a sequence (2) of one (1)
//!    36  40 03 04 ac16231a        NEXT_HOP 172.22.35.26
//!    43  c0 08 04 fc7b0064        COMMUNITIES 64635:100
//!    50  20 ac162346              routes: 172.22.35.70/32
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
//! The codes of a NOTIFICATION are: 1, 2 and 3, an error in a header, an OPEN or an UPDATE; 4, the hold timer expired; 5, an
//! unexpected message in the state; 6, Cease, with the reason as subcode (RFC 4486) and possibly a message from the operator
//! (RFC 9003); 7, an error in a ROUTE-REFRESH (RFC 7313); 8, the send hold timer expired (RFC 9687).
//! The subtype of a ROUTE-REFRESH is 0 for the request, 1 and 2 for the marks around the response (RFC 7313).
//!
//! # Errors
//!
//! | error in | result of decoding |
//! |---|---|
//! | header, OPEN, lengths and prefixes of an UPDATE, MP attributes | a [`DecodeError`]: the session ends with its [`notification`](DecodeError::notification) |
//! | any other attribute | an [`Update`] with a [`treatment`](Update::treatment) by RFC 7606: the attribute is discarded, or the routes are treated as withdrawn |
//!
//! Unknown optional attributes, unknown capabilities and NLRI of unknown families are not errors: they are kept as octets.
//! [`Update::reachable`] and [`Update::unreachable`] already follow the treatment.

mod attribute;
mod capability;
mod community;
mod context;
mod encode;
mod error;
mod error_kind;
mod frame;
mod header;
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
    AddPath, AddPathMode, Capability, CapabilityCode, ExtendedNextHop, GracefulRestart,
    GracefulRestartFamily, LongLivedFamily, Role,
};
pub use community::{
    Community, ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity, ParseCommunityError,
};
pub use context::WireContext;
pub(crate) use encode::is_typed;
pub use encode::{AttributeBlock, UpdateWriter, encode_end_of_rib, encode_keepalive};
pub use error::DecodeError;
pub use error_kind::{ErrorKind, Treatment};
pub use frame::Frame;
pub use header::{HEADER_LENGTH, MessageLimit, MessageType};
pub use layout::UpdateFields;
pub use message::Message;
pub use nlri::{Ipv4Prefixes, Ipv6Prefixes, Prefixes, WithPathIds};
pub use notification::{
    CeaseSubcode, ErrorCode, FsmSubcode, HeaderSubcode, Notification, OpenSubcode, UpdateSubcode,
};
pub use open::{CapabilityView, CapabilityViews, Open};
pub use path_attributes::{
    Aggregator, NextHop, Origin, ParseAttributeError, PathAttributes, RawAttribute,
};
pub use route_refresh::{RouteRefresh, RouteRefreshSubtype};
pub use update::{
    Finding, Findings, MpReach, MpUnreach, OwnedUpdate, RoutePrefixes, Update, ValueIter,
};

//! Messages: octets in, views out; values in, octets out.

mod attribute;
mod capability;
mod community;
mod context;
mod encode;
mod error;
mod frame;
mod input;
mod message;
mod nlri;
mod notification;
mod open;
mod path_attributes;
mod route_refresh;
mod update;

pub use attribute::{
    AsPath, AsPathSegment, AsPathSegmentView, AsPathView, Asns, AttributeCode, AttributeFlags,
    AttributeView, Attributes, SegmentType,
};
pub use capability::{
    AddPath, AddPathMode, Capability, ExtendedNextHop, GracefulRestart, GracefulRestartFamily,
    LongLivedFamily, Role,
};
pub use community::{
    Community, ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity, ParseCommunityError,
};
pub use context::WireContext;
pub use encode::{AttributeBlock, UpdateWriter, encode_end_of_rib, encode_keepalive};
pub use error::{DecodeError, ErrorKind, Treatment};
pub use frame::{Frame, HEADER_LENGTH, MessageLimit, MessageType};
pub use message::Message;
pub use nlri::{Ipv4Prefixes, Ipv6Prefixes, Prefixes, WithPathIds};
pub use notification::{
    CeaseSubcode, ErrorCode, FsmSubcode, HeaderSubcode, Notification, OpenSubcode, UpdateSubcode,
};
pub use open::Open;
pub use path_attributes::{Aggregator, NextHop, Origin, PathAttributes, RawAttribute};
pub use route_refresh::{RouteRefresh, RouteRefreshSubtype};
pub use update::{Finding, Findings, Items, MpReach, MpUnreach, RoutePrefixes, Update};

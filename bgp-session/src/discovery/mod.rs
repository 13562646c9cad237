//! Peers by interface ("unnumbered"): the router at the other end of a link is the peer, by its link-local address.
//!
//! Both ends send router advertisements (RFC 4861), as routers do for `neighbor IFACE interface`. Ours have a lifetime of 0,
//! so no host uses us as a default router. This module finds the neighbour and adds it as a peer, which `task` runs.

mod handle;
mod message;
mod neighbor;
mod peer;

pub use handle::{InterfaceHandle, InterfaceStatus};
pub use message::NdMessage;
pub use peer::InterfacePeer;

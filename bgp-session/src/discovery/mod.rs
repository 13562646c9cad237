//! Peers by interface: whoever is at the other end of a link is the peer, by its link-local address ("unnumbered").
//!
//! Both ends say that they are there by router advertisements (RFC 4861), as routers do for `neighbor IFACE
//! interface`. Ours have a lifetime of 0: nobody takes us for a default router. This module finds the neighbour and
//! adds it as a peer; what the peer does is `task`'s business.

mod handle;
mod message;
mod neighbor;

pub use handle::InterfaceHandle;
pub use neighbor::{InterfacePeer, InterfaceStatus};

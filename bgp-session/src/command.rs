//! [`Command`]: what a handle may ask of its peer's task.

use std::sync::Arc;

use bgp_core::{
    rib::RouteSet,
    wire::{Notification, PathAttributes},
};
use ipnet::IpNet;

/// A request, in the order in which the handles made them.
#[derive(Debug)]
pub(crate) enum Command {
    /// From now on exactly these routes are announced.
    SetRoutes(Arc<RouteSet>),
    /// This route too, or instead of the one for the same prefix.
    Announce(IpNet, Arc<PathAttributes>),
    /// No route for this prefix any more.
    Withdraw(IpNet),
    /// The end, with this word to the peer.
    Shutdown(Notification),
}

/// How many commands may wait for a peer's task before the caller does.
pub(crate) const CAPACITY: usize = 64;

//! Bidirectional Forwarding Detection: notices a peer's failure in a fraction of a second.
//!
//! RFC 5880 in asynchronous mode, over one hop (RFC 5881) and over several (RFC 5883): negotiated timers with
//! Poll Sequences, the detection multiplier, the passive role, AdminDown. Demand mode and the Echo function
//! are off, as our packets announce, and authentication is not implemented.
//!
//! A peer gets a session by [`PeerConfig::bfd`](crate::PeerConfig::bfd):
//!
//! * When BFD goes from up to down, the BGP session ends at once with Cease / BFD Down (RFC 9384).
//! * The next one waits until BFD is up again, for at most [`BfdProfile::hold`].
//! * A BGP session may come up before BFD ever has. Otherwise a router without BFD, or whose BFD is filtered,
//!   would get no routes. BIRD and FRR do the same.
//! * A router that takes its BFD out of service (AdminDown) doesn't end the BGP session (RFC 5882 section 3.2).
//! * [`PeerHandle::update`](crate::PeerHandle::update) changes timers, begins BFD or ends it without touching the BGP
//!   session. The end of BFD is signalled as AdminDown, which is not a failure. BIRD 2.0 and FRR 8.4 still treat it
//!   as one, and end the BGP session.
//!
//! [`Session`] and [`Packet`] are the protocol itself, without sockets and without a clock, for other uses.

mod active;
mod driver;
mod endpoint;
mod packet;
mod profile;
mod readiness;
mod requests;
mod service;
mod session;
mod state;
mod status;
mod timers;

#[cfg(test)]
mod tests;

pub use packet::{Packet, PacketError};
pub use profile::BfdProfile;
pub use session::{Session, Transition};
pub use state::{Diagnostic, State};
pub use status::{BfdStats, BfdStatus};

pub(crate) use endpoint::Endpoint;
pub(crate) use service::{Attachment, Bfd, WAITING_TRANSITIONS};

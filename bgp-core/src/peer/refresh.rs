//! Route refreshes in both directions (RFC 2918, RFC 7313): our requests, those of the peer, and our routes once more
//! without a request.
//!
//! Decides whether a refresh is possible. The Adj-RIB-Out repeats our routes, and `retention.rs` drops those of the peer
//! that it does not repeat.

use std::fmt;
use std::time::Instant;

use crate::AfiSafi;
use crate::peer::{Output, Peer};
use crate::wire::{RouteRefresh, RouteRefreshSubtype};

/// The reason why routes are not refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum RefreshError {
    /// No session is up.
    NoSession,
    /// The session does not carry the family.
    FamilyNotNegotiated,
    /// One of both ends does not support ROUTE-REFRESH, so that the peer cannot be asked.
    NotSupported,
}

impl fmt::Display for RefreshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSession => "no session is up",
            Self::FamilyNotNegotiated => "the session does not carry the family",
            Self::NotSupported => "ROUTE-REFRESH (RFC 2918) was not negotiated",
        })
    }
}

impl std::error::Error for RefreshError {}

impl Peer {
    /// Asks the peer to send all its routes of a family again (RFC 2918). Routes that it does not repeat are dropped when it
    /// reports the end of the refresh, if it supports that (RFC 7313).
    ///
    /// # Errors
    ///
    /// The peer cannot be asked.
    pub fn request_refresh(&mut self, family: AfiSafi) -> Result<(), RefreshError> {
        self.check_family(family)?;
        if self.negotiated().is_some_and(|negotiated| !negotiated.route_refresh) {
            return Err(RefreshError::NotSupported);
        }
        self.refresh_due.insert(family);
        Ok(())
    }

    /// Sends all our routes of a family again, although the peer has not asked for them. If both ends support it, the peer
    /// learns where the routes begin and end (RFC 7313, section 4), and drops those that it should not have. During another
    /// refresh, or before all routes are sent for the first time, it begins after that.
    ///
    /// # Errors
    ///
    /// There is no session, or it does not carry the family. ROUTE-REFRESH is not needed.
    pub fn resend(&mut self, family: AfiSafi) -> Result<(), RefreshError> {
        self.check_family(family)?;
        self.repeat_routes(family);
        Ok(())
    }

    fn check_family(&self, family: AfiSafi) -> Result<(), RefreshError> {
        let negotiated = self.negotiated().ok_or(RefreshError::NoSession)?;
        if negotiated.has_family(family) { Ok(()) } else { Err(RefreshError::FamilyNotNegotiated) }
    }

    fn repeat_routes(&mut self, family: AfiSafi) {
        let bracketed = self.negotiated().is_some_and(|it| it.extensions.enhanced_refresh);
        self.adj_rib_out.refresh(family, bracketed);
    }

    /// Handles a ROUTE-REFRESH of the peer.
    pub(super) fn refresh_received(&mut self, now: Instant, refresh: RouteRefresh) {
        let family = refresh.family;
        if self.check_family(family).is_err() {
            return;
        }

        let enhanced = self.negotiated().is_some_and(|it| it.extensions.enhanced_refresh);
        match refresh.subtype {
            RouteRefreshSubtype::REQUEST => {
                self.outputs.push_back(Output::RefreshRequested(family));
                self.repeat_routes(family);
            }
            // Ignored if not negotiated, like any unknown subtype (RFC 7313, section 5).
            RouteRefreshSubtype::BEGIN if enhanced => self.refresh_begins(now, family),
            RouteRefreshSubtype::END if enhanced => self.refresh_ends(family),
            _ => {}
        }
    }
}

//! The context in which policies see routes: the peer that sent them, and the VRPs for origin validation (RFC 6811).

use crate::peer::Peer;
use crate::policy::{LearnedFrom, RouteContext};
use crate::rpki::VrpTable;

impl Peer {
    /// The VRPs that policies validate routes with.
    #[must_use]
    pub fn vrps(&self) -> &VrpTable {
        &self.vrps
    }

    /// The context of routes that the peer sends. Without a session there are none.
    pub(super) fn import_context<'a>(&self, vrps: &'a VrpTable) -> RouteContext<'a> {
        let context = self.export_context(vrps);
        match (self.negotiated(), self.endpoints()) {
            (Some(negotiated), Some(endpoints)) => context.learned_from(LearnedFrom {
                address: endpoints.remote.ip().to_canonical(),
                asn: negotiated.remote_asn,
                peer_type: negotiated.peer_type,
            }),
            _ => context,
        }
    }

    /// The context of our own routes.
    pub(super) fn export_context<'a>(&self, vrps: &'a VrpTable) -> RouteContext<'a> {
        RouteContext::own(self.settings.fsm.local_asn).vrps(vrps)
    }
}

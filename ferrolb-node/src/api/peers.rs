//! `/v1/peers` and `/v1/peers/NAME`: the peers of the nodes that a process speaks for.
//!
//! Owns which peer a name means, and the row of a peer. [`super::peer_detail`] has the rest.

use std::collections::BTreeSet;

use ferrolb_api::{ApiError, BfdList, Failure, Peer, PeerList, PrefixCounts, Program, Timestamp};
use lb_adapter::engine::Engine;
use lb_adapter::planner::{PeerPlan, Plan};

use super::process::leading_engine;
use super::{Identity, PeerName, Process, Refused, bfd, hints, peer_detail};
use crate::sessions::{SessionKey, SessionStatus};

/// A peer of a node, with the state of its session.
#[derive(Debug)]
pub(super) struct PeerFacts<'a> {
    pub(super) identity: &'a Identity,
    pub(super) node: &'a str,
    pub(super) plan: &'a PeerPlan,
    /// The status of the session; the default if there is none.
    pub(super) status: SessionStatus,
}

/// Returns the peers of all nodes, in the order of nodes and names.
pub(super) fn all<'a>(
    process: &'a impl Process,
    engine: &'a Engine,
) -> impl Iterator<Item = PeerFacts<'a>> {
    let mut sessions: Vec<_> =
        if process.sessions().is_some() { engine.sessions().collect() } else { Vec::new() };
    sessions.sort_by_key(|(plan, peer)| (plan.node(), peer.peer.name.as_str()));
    sessions.into_iter().map(|(plan, peer)| facts(process, plan, peer))
}

fn facts<'a>(process: &'a impl Process, plan: &'a Plan, peer_plan: &'a PeerPlan) -> PeerFacts<'a> {
    let key = SessionKey::new(plan.node(), &peer_plan.peer.name);
    let status = process.sessions().and_then(|sessions| sessions.status(&key));
    PeerFacts {
        identity: process.identity(),
        node: plan.node(),
        plan: peer_plan,
        status: status.unwrap_or_else(|| SessionStatus {
            problem: Some(NO_SESSION.to_owned()),
            ..SessionStatus::default()
        }),
    }
}

/// Returns the answer to `/v1/peers`.
pub(super) fn list(process: &impl Process) -> Result<PeerList, Refused> {
    let engine = leading_engine(process)?;
    Ok(PeerList { peers: all(process, engine).map(|facts| facts.peer()).collect() })
}

/// Returns the answer to `/v1/peers/NAME`.
pub(super) fn one(process: &impl Process, wanted: &PeerName) -> Result<Peer, Refused> {
    let engine = leading_engine(process)?;
    let facts = find(process, engine, wanted)?;
    let mut peer = facts.peer();
    peer.detail = Some(Box::new(peer_detail::detail(&facts)));
    Ok(peer)
}

/// Returns the answer to `/v1/bfd`.
pub(super) fn bfd_sessions(process: &impl Process) -> Result<BfdList, Refused> {
    let engine = leading_engine(process)?;
    let peers = all(process, engine).filter(PeerFacts::has_bfd);
    Ok(BfdList { sessions: peers.filter_map(|peer| bfd::session(&peer)).collect() })
}

/// Finds the peer that a name means.
///
/// # Errors
///
/// There is none, or several nodes have it.
pub(super) fn find<'a>(
    process: &'a impl Process,
    engine: &'a Engine,
    wanted: &PeerName,
) -> Result<PeerFacts<'a>, Refused> {
    let peers: Vec<_> = engine.sessions().filter(|_| process.sessions().is_some()).collect();
    if let Some(node) = &wanted.node
        && engine.plan(node).is_none()
    {
        let known = engine.plans().map(Plan::node);
        let error = format!("there is no node {node:?} here{}", among(known));
        return Err(Refused::NotFound(ApiError::new(error)));
    }

    let mut matching = peers.iter().filter(|(plan, peer)| {
        let is_on_node = wanted.node.as_ref().is_none_or(|node| plan.node() == node);
        is_on_node && peer.peer.name == wanted.name
    });
    match (matching.next(), matching.next()) {
        (Some((plan, peer)), None) => Ok(facts(process, plan, peer)),
        (Some(_), Some(_)) => {
            let nodes = peers.iter().filter(|(_, peer)| peer.peer.name == wanted.name);
            let nodes = among(nodes.map(|(plan, _)| plan.node()));
            let error = format!("several nodes have a peer {:?}{nodes}", wanted.name);
            let hint = Some("name the node, as in ?node=NAME".to_owned());
            Err(Refused::BadRequest(ApiError { error, hint }))
        }
        (None, _) => {
            let known = among(peers.iter().map(|(_, peer)| peer.peer.name.as_str()));
            let error = format!("there is no peer {:?}{known}", wanted.name);
            Err(Refused::NotFound(ApiError::new(error)))
        }
    }
}

/// Returns a text with the names that would have been right, without repetitions.
pub(super) fn among<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: BTreeSet<_> = names.collect();
    if names.is_empty() {
        return String::new();
    }

    let listed: Vec<_> = names.iter().take(MOST_NAMES).copied().collect();
    let more = if names.len() > MOST_NAMES { ", .." } else { "" };
    format!(": expected one of {}{more}", listed.join(", "))
}

impl PeerFacts<'_> {
    /// Returns the key of the session.
    pub(super) fn key(&self) -> SessionKey {
        SessionKey::new(self.node, &self.plan.peer.name)
    }

    /// Returns the row of the peer.
    pub(super) fn peer(&self) -> Peer {
        let Self { node, plan, status, .. } = self;
        let session = status.peer.as_ref();
        let negotiated = session.and_then(|session| session.negotiated.as_ref());
        let configured = plan.peer.expected_asn();

        Peer {
            node: (*node).to_owned(),
            name: plan.peer.name.clone(),
            endpoint: plan.peer.endpoint(),
            asn: negotiated.map(|it| it.remote_asn.0).or_else(|| configured.map(|asn| asn.0)),
            local_asn: negotiated.map_or_else(|| plan.peer.shown_asn().0, |it| it.local_asn.0),
            state: status.state().to_string(),
            disabled: status.is_disabled(),
            state_seconds: session.map(|session| session.time_in_state().as_secs_f64()),
            families: status.families().unwrap_or_default(),
            prefixes: self.prefixes(),
            received: session.map_or(0, |session| session.prefixes_held),
            flaps: status.stats().sessions_lost,
            last_error: self.last_error(),
            bfd: self.has_bfd().then(|| bfd::session(self)).flatten(),
            detail: None,
        }
    }

    /// Returns true if the peer has a BFD profile. The routers of a lab have no BFD, which would take its port on the whole host.
    pub(super) fn has_bfd(&self) -> bool {
        self.plan.peer.bfd_profile.is_some() && self.identity.program() != Program::Lab
    }

    pub(super) fn prefixes(&self) -> PrefixCounts {
        let unsendable = self.status.unsendable();
        let sent = match &self.status.peer {
            Some(session) if session.is_established() => session.routes.saturating_sub(unsendable),
            _ => 0,
        };
        PrefixCounts { planned: self.plan.routes.len(), sent, unsendable }
    }

    /// Returns the last error in words. It may be older than the session that is up.
    pub(super) fn last_error(&self) -> Option<Failure> {
        let text = self.status.reason()?;
        if self.status.problem.is_some() {
            return Some(Failure { text, hint: None, at: None });
        }

        let session = self.status.peer.as_ref()?;
        let error = session.last_error.as_ref()?;
        let at = session.last_error_at.map(|at| self.time_of(at));
        Some(Failure { text, hint: hints::of_reason(error, &self.plan.peer), at })
    }

    pub(super) fn time_of(&self, instant: std::time::Instant) -> Timestamp {
        self.identity.time_of(instant)
    }
}

/// The most names that an error lists.
const MOST_NAMES: usize = 20;
/// The reason of a peer for which there is no session, such as before the start is complete.
const NO_SESSION: &str = "the session has not been started";

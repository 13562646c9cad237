//! The route that a peer gets for one prefix, and the contributions of the Services that share it.

use std::net::IpAddr;
use std::sync::Arc;

use bgp_core::wire::PathAttributes;
use smallvec::{SmallVec, smallvec};

use crate::model::{Community, LargeCommunity, ServiceKey};

use super::service_attributes::ServiceAttributes;

/// One route to one peer. The plan keeps it under its prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRoute {
    /// Sorted by Service. There are thousands of routes, and nearly all of them belong to one Service.
    contributions: SmallVec<[Contribution; 1]>,
    attributes: Arc<PathAttributes>,
}

/// The contribution of one Service to a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contribution {
    pub(super) service: ServiceKey,
    /// Indexes into the configuration's advertisements, ascending.
    pub(super) advertisements: Arc<[usize]>,
    /// `None` if the Service adds nothing.
    pub(super) attributes: Option<Arc<ServiceAttributes>>,
}

impl PlannedRoute {
    /// A route of one Service. Its attributes are provisional until a builder has set them.
    pub(super) fn of(contribution: Contribution, attributes: Arc<PathAttributes>) -> Self {
        Self { contributions: smallvec![contribution], attributes }
    }

    /// Adds the contribution of a Service, or replaces its former one.
    pub(super) fn insert(&mut self, contribution: Contribution) {
        let service = &contribution.service;
        match self.contributions.binary_search_by(|other| other.service.cmp(service)) {
            Ok(position) => self.contributions[position] = contribution,
            Err(position) => self.contributions.insert(position, contribution),
        }
    }

    /// Removes the contribution of a Service.
    pub(super) fn remove(&mut self, service: &ServiceKey) {
        self.contributions.retain(|contribution| contribution.service != *service);
    }

    /// Returns true if no Service contributes any more.
    pub(super) fn is_empty(&self) -> bool {
        self.contributions.is_empty()
    }

    pub(super) fn set_attributes(&mut self, attributes: Arc<PathAttributes>) {
        self.attributes = attributes;
    }

    pub(super) fn contributions(&self) -> &[Contribution] {
        &self.contributions
    }

    /// Returns the contribution of one Service.
    pub(super) fn contribution_of(&self, service: &ServiceKey) -> Option<&Contribution> {
        self.contributions.iter().find(|contribution| contribution.service == *service)
    }

    /// Returns the attributes of the Services, in the order of the Services.
    pub(super) fn service_attributes(&self) -> impl Iterator<Item = &ServiceAttributes> {
        self.contributions.iter().filter_map(|contribution| contribution.attributes.as_deref())
    }

    /// Returns the attributes for the session. ORIGIN is IGP unless the route is depreferenced, and AS_PATH has only the
    /// ASes to prepend to the session's own.
    pub fn attributes(&self) -> &Arc<PathAttributes> {
        &self.attributes
    }

    /// Returns NEXT_HOP; `None` stands for the session's own address.
    pub fn next_hop(&self) -> Option<IpAddr> {
        self.attributes.next_hop.map(|next_hop| next_hop.address())
    }

    /// Returns LOCAL_PREF: always present for an internal peer, 100 if none is configured, as in
    /// MetalLB's FRR modes; never for an external peer (RFC 4271 section 5.1.5).
    pub fn local_pref(&self) -> Option<u32> {
        self.attributes.local_pref
    }

    /// Returns COMMUNITIES (RFC 1997), sorted.
    pub fn communities(&self) -> &[Community] {
        &self.attributes.communities
    }

    /// Returns LARGE_COMMUNITY (RFC 8092), sorted.
    pub fn large_communities(&self) -> &[LargeCommunity] {
        &self.attributes.large_communities
    }

    /// Returns the Services of the route, by namespace and name.
    pub fn services(&self) -> impl Iterator<Item = &ServiceKey> {
        self.contributions.iter().map(|contribution| &contribution.service)
    }

    /// Returns true if all its Services are unhealthy here, and routers should prefer other nodes.
    pub fn is_depreferenced(&self) -> bool {
        self.contributions.iter().all(|contribution| {
            contribution.attributes.as_deref().is_some_and(|attributes| attributes.depreferenced)
        })
    }
}

//! The `metallb.io` resources of current MetalLB.

use super::draft::{BfdProfileDraft, Draft, PoolDraft, Seniority};
use super::field::{Field, Mapping};
use super::key::{Format, Key};
use super::report::Report;
use super::selectors;
use super::tree::Value;
use super::{advertisements, bfd_profiles, communities, extensions, peers, pools};
use crate::model::Labels;

/// The kinds of resources that configure something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ResourceKind {
    /// BGPPeer v1beta1, which is served for old clients and lacks the newer fields.
    OldBgpPeer,
    BgpPeer,
    IpAddressPool,
    BgpAdvertisement,
    L2Advertisement,
    Community,
    BfdProfile,
}

impl ResourceKind {
    /// All kinds.
    pub(crate) const ALL: [Self; 7] = [
        Self::BgpPeer,
        Self::OldBgpPeer,
        Self::IpAddressPool,
        Self::BgpAdvertisement,
        Self::L2Advertisement,
        Self::Community,
        Self::BfdProfile,
    ];

    /// Returns the API version.
    pub(crate) fn api_version(self) -> &'static str {
        match self {
            Self::BgpPeer => "metallb.io/v1beta2",
            Self::OldBgpPeer
            | Self::IpAddressPool
            | Self::BgpAdvertisement
            | Self::L2Advertisement
            | Self::Community
            | Self::BfdProfile => "metallb.io/v1beta1",
        }
    }

    /// Returns the kind as Kubernetes spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OldBgpPeer | Self::BgpPeer => "BGPPeer",
            Self::IpAddressPool => "IPAddressPool",
            Self::BgpAdvertisement => "BGPAdvertisement",
            Self::L2Advertisement => "L2Advertisement",
            Self::Community => "Community",
            Self::BfdProfile => "BFDProfile",
        }
    }

    /// Returns the FerroLB annotations that the kind may have, without their prefix.
    fn annotation_keys(self) -> &'static [&'static str] {
        match self {
            Self::OldBgpPeer | Self::BgpPeer => &extensions::PEER_KEYS,
            Self::IpAddressPool => &extensions::POOL_KEYS,
            Self::BgpAdvertisement | Self::L2Advertisement | Self::Community | Self::BfdProfile => {
                &[]
            }
        }
    }
}

/// The metadata of a resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResourceMetadata<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) labels: &'a Labels,
    pub(crate) seniority: Seniority,
}

/// Reads a resource into the draft.
pub(crate) fn read(
    kind: ResourceKind,
    metadata: ResourceMetadata<'_>,
    object: &Mapping<'_>,
    at: &Field<'_>,
    draft: &mut Draft,
    report: &mut Report<'_>,
) {
    object.only(&["apiVersion", "kind", "metadata", "spec", "status"], report);

    let spec_field = object.get("spec");
    let spec = match &spec_field {
        Some(field) => field.mapping(report),
        // An object without a spec has every default, if there are defaults.
        None => Some(object.without_entries()),
    };
    let Some(spec) = spec else { return };

    let metadata_field = object.get("metadata").and_then(|field| field.mapping(report));
    let annotations = metadata_field.as_ref().and_then(|field| field.get("annotations"));
    let annotations = annotations.and_then(|field| field.mapping(report));
    if let Some(annotations) = &annotations {
        extensions::only(annotations, kind.annotation_keys(), report);
    }

    let resource =
        Resource { name: metadata.name, spec: &spec, annotations: annotations.as_ref(), at };
    match kind {
        ResourceKind::OldBgpPeer | ResourceKind::BgpPeer => {
            check_peer_keys(kind, &spec, report);
            check_secret_namespace(&spec, metadata.namespace, report);
            resource.read_peer(draft, report);
        }
        ResourceKind::IpAddressPool => resource.read_pool(metadata, draft, report),
        ResourceKind::BgpAdvertisement => {
            resource.read_bgp_advertisement(metadata.seniority, draft, report);
        }
        ResourceKind::L2Advertisement => resource.read_l2_advertisement(draft, report),
        ResourceKind::Community => resource.read_communities(draft, report),
        ResourceKind::BfdProfile => resource.read_bfd_profile(draft, report),
    }
}

/// A resource that is being read.
struct Resource<'a> {
    name: &'a str,
    spec: &'a Mapping<'a>,
    annotations: Option<&'a Mapping<'a>>,
    at: &'a Field<'a>,
}

impl Resource<'_> {
    fn read_peer(&self, draft: &mut Draft, report: &mut Report<'_>) {
        let (mut peer, is_complete) = peers::read(self.spec, self.at, Format::Resources, report);
        peer.peer.name = self.name.to_owned();
        if let Some(annotations) = self.annotations {
            extensions::read_peer(annotations, extensions::PREFIX, &mut peer.peer, report);
        }
        if is_complete {
            draft.peers.push(peer);
        }
    }

    fn read_pool(
        &self,
        metadata: ResourceMetadata<'_>,
        draft: &mut Draft,
        report: &mut Report<'_>,
    ) {
        only(self.spec, &pools::KEYS, report);
        let (mut pool, ranges) = pools::read(self.spec, Format::Resources, report);
        (pool.name, pool.labels) = (self.name.to_owned(), metadata.labels.clone());
        if let Some(annotations) = self.annotations {
            extensions::read_pool(annotations, extensions::PREFIX, &mut pool, report);
        }
        let (place, seniority) = (self.at.place(report), metadata.seniority);
        draft.pools.push(PoolDraft { pool, place, ranges, seniority });
    }

    fn read_bgp_advertisement(
        &self,
        seniority: Seniority,
        draft: &mut Draft,
        report: &mut Report<'_>,
    ) {
        only(self.spec, &advertisements::BGP_KEYS, report);
        let mut read = advertisements::bgp(self.spec, self.at, Format::Resources, report);
        read.advertisement.name = self.name.to_owned();
        read.seniority = seniority;
        draft.bgp_advertisements.push(read);
    }

    fn read_l2_advertisement(&self, draft: &mut Draft, report: &mut Report<'_>) {
        self.spec.only(&advertisements::L2_KEYS, report);
        let mut read = advertisements::l2(self.spec, self.at, report);
        read.advertisement.name = self.name.to_owned();
        draft.l2_advertisements.push(read);
    }

    fn read_communities(&self, draft: &mut Draft, report: &mut Report<'_>) {
        self.spec.only(&["communities"], report);
        if let Some(list) = self.spec.get("communities") {
            draft.aliases.extend(communities::list(list, report));
        }
    }

    fn read_bfd_profile(&self, draft: &mut Draft, report: &mut Report<'_>) {
        only(self.spec, &bfd_profiles::KEYS, report);
        let mut profile = bfd_profiles::read(self.spec, Format::Resources, report);
        profile.name = self.name.to_owned();
        draft.bfd_profiles.push(BfdProfileDraft { profile, place: self.at.place(report) });
    }
}

/// Returns true if a BGPPeer or a BGPAdvertisement is for a node with these labels; without labels, as if the node had
/// none. An object with unreadable selectors counts as one for every node.
pub fn selects_node(tree: &Value, labels: Option<&Labels>) -> bool {
    let mut problems = Vec::new();
    let mut report = Report::new("", &mut problems);
    let root = Field::root(tree).mapping(&mut report);
    let spec = root.as_ref().and_then(|root| root.get("spec"));
    let spec = spec.as_ref().and_then(|spec| spec.mapping(&mut report));
    let Some(spec) = spec else { return true };

    let selectors = selectors::selectors(&spec, "nodeSelectors", Format::Resources, &mut report);
    let no_labels = Labels::default();
    let labels = labels.unwrap_or(&no_labels);
    selectors.is_empty() || !problems.is_empty() || selectors.iter().any(|it| it.matches(labels))
}

/// Sorts everything by name, so that the order does not depend on files and watches.
pub(crate) fn sort(draft: &mut Draft) {
    draft.peers.sort_by(|a, b| a.peer.name.cmp(&b.peer.name));
    draft.pools.sort_by(|a, b| a.pool.name.cmp(&b.pool.name));
    draft.bgp_advertisements.sort_by(|a, b| a.advertisement.name.cmp(&b.advertisement.name));
    draft.l2_advertisements.sort_by(|a, b| a.advertisement.name.cmp(&b.advertisement.name));
    draft.bfd_profiles.sort_by(|a, b| a.profile.name.cmp(&b.profile.name));
}

fn only(spec: &Mapping<'_>, keys: &[Key], report: &mut Report<'_>) {
    let keys: Vec<_> = keys.iter().map(|key| key.of(Format::Resources)).collect();
    spec.only(&keys, report);
}

/// Checks the keys of a BGPPeer. The API server drops the newer fields of a v1beta1 object.
fn check_peer_keys(kind: ResourceKind, spec: &Mapping<'_>, report: &mut Report<'_>) {
    only(spec, &peers::KEYS, report);
    if kind != ResourceKind::OldBgpPeer {
        return;
    }
    for key in peers::KEYS.iter().skip(peers::OLD_KEYS) {
        if let Some(field) = spec.get(key.of(Format::Resources)) {
            field.error(report, "not in v1beta1, expected apiVersion metallb.io/v1beta2");
        }
    }
}

/// Reports a Secret in another namespace than the peer, where it is not looked for.
fn check_secret_namespace(spec: &Mapping<'_>, namespace: &str, report: &mut Report<'_>) {
    // A value that is not a mapping is reported where it is read.
    let secret = spec.get("passwordSecret");
    let Some(secret) = secret.as_ref().and_then(Field::entries) else { return };
    let Some(field) = secret.get_filled("namespace") else { return };

    if field.string(report).is_some_and(|found| found != namespace) {
        field.expected(report, &format!("{namespace}, the namespace of the BGPPeer"));
    }
}

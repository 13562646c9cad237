//! The `metallb.io` resources of today.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;

use super::draft::{
    BgpDraft, Draft, Format, Key, L2Draft, PoolDraft, ProfileDraft, SecretDraft, Seniority,
};
use super::field::{Field, Mapping};
use super::labels;
use super::report::Report;
use super::unfinished::unfinished;
use super::yaml::Value;
use super::{advertisements, bfd_profiles, communities, own, peers, pools};
use crate::model::{Labels, Password};

/// The kinds that configure something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// v1beta1, served for old clients and without the newer fields.
    OldBgpPeer,
    BgpPeer,
    IpAddressPool,
    BgpAdvertisement,
    L2Advertisement,
    Community,
    BfdProfile,
}

impl Kind {
    /// The kind of an object, if it is one of these.
    pub(crate) fn of(api_version: &str, kind: &str) -> Option<Self> {
        Some(match (api_version, kind) {
            ("metallb.io/v1beta1", "BGPPeer") => Self::OldBgpPeer,
            ("metallb.io/v1beta2", "BGPPeer") => Self::BgpPeer,
            ("metallb.io/v1beta1", "IPAddressPool") => Self::IpAddressPool,
            ("metallb.io/v1beta1", "BGPAdvertisement") => Self::BgpAdvertisement,
            ("metallb.io/v1beta1", "L2Advertisement") => Self::L2Advertisement,
            ("metallb.io/v1beta1", "Community") => Self::Community,
            ("metallb.io/v1beta1", "BFDProfile") => Self::BfdProfile,
            _ => return None,
        })
    }

    /// The annotations of ours that it may have, without their prefix.
    fn own_keys(self) -> &'static [&'static str] {
        match self {
            Self::OldBgpPeer | Self::BgpPeer => &own::PEER_KEYS,
            Self::IpAddressPool => &own::KEYS,
            Self::BgpAdvertisement | Self::L2Advertisement | Self::Community | Self::BfdProfile => {
                &[]
            }
        }
    }

    /// As Kubernetes writes it.
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
}

/// What the metadata of an object says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) labels: &'a Labels,
    pub(crate) seniority: Seniority,
}

/// Reads an object into the draft.
pub(crate) fn read(
    kind: Kind,
    named: Named<'_>,
    object: &Mapping<'_>,
    at: &Field<'_>,
    draft: &mut Draft,
    report: &mut Report<'_>,
) {
    object.only(&["apiVersion", "kind", "metadata", "spec", "status"], report);
    let field = object.get("spec");
    let spec = match &field {
        Some(spec) => spec.mapping(report),
        // An object without a spec is one with every default, where there are defaults.
        None => Some(object.without_entries()),
    };
    let Some(spec) = spec else { return };
    let metadata = object.get("metadata").and_then(|it| it.mapping(report));
    let annotations = metadata.as_ref().and_then(|it| it.get("annotations"));
    let annotations = annotations.and_then(|field| field.mapping(report));
    if let Some(annotations) = &annotations {
        own::only(annotations, kind.own_keys(), report);
    }
    let format = Format::Resources;
    match kind {
        Kind::OldBgpPeer | Kind::BgpPeer => {
            peer_keys(kind, &spec, report);
            secret_namespace(&spec, named.namespace, report);
            let (mut peer, is_whole) = peers::read(&spec, at, format, report);
            peer.peer.name = named.name.to_owned();
            if let Some(annotations) = &annotations {
                own::read_peer(annotations, own::PREFIX, &mut peer.peer, report);
            }
            if is_whole {
                draft.peers.push(peer);
            }
        }
        Kind::IpAddressPool => {
            only(&spec, &pools::KEYS, report);
            let (mut pool, ranges) = pools::read(&spec, format, report);
            (pool.name, pool.labels) = (named.name.to_owned(), named.labels.clone());
            if let Some(annotations) = &annotations {
                own::read(annotations, own::PREFIX, &mut pool, report);
            }
            let (place, seniority) = (report.place_of(at), named.seniority);
            draft.pools.push(PoolDraft { pool, place, ranges, seniority });
        }
        Kind::BgpAdvertisement => {
            only(&spec, &advertisements::BGP_KEYS, report);
            let mut it: BgpDraft = advertisements::bgp(&spec, at, format, report);
            it.advertisement.name = named.name.to_owned();
            it.seniority = named.seniority;
            draft.bgp_advertisements.push(it);
        }
        Kind::L2Advertisement => {
            spec.only(&advertisements::L2_KEYS, report);
            let mut it: L2Draft = advertisements::l2(&spec, at, report);
            it.advertisement.name = named.name.to_owned();
            draft.l2_advertisements.push(it);
        }
        Kind::Community => {
            spec.only(&["communities"], report);
            if let Some(list) = spec.get("communities") {
                draft.aliases.extend(communities::list(list, report));
            }
        }
        Kind::BfdProfile => {
            only(&spec, &bfd_profiles::KEYS, report);
            let mut profile = bfd_profiles::read(&spec, format, report);
            profile.name = named.name.to_owned();
            draft.bfd_profiles.push(ProfileDraft { profile, place: report.place_of(at) });
        }
    }
}

/// Returns true if a BGPPeer or a BGPAdvertisement is for a node with these labels; without labels, as if the node had
/// none. An object whose selectors cannot be read counts as one for every node.
pub fn selects_node(tree: &Value, labels: Option<&Labels>) -> bool {
    let mut problems = Vec::new();
    let mut report = Report::new("", &mut problems);
    let root = Field::root(tree).mapping(&mut report);
    let spec = root.as_ref().and_then(|root| root.get("spec"));
    let spec = spec.as_ref().and_then(|spec| spec.mapping(&mut report));
    let Some(spec) = spec else { return true };
    let selectors = labels::selectors(&spec, "nodeSelectors", Format::Resources, &mut report);
    let none = Labels::default();
    let labels = labels.unwrap_or(&none);
    selectors.is_empty() || !problems.is_empty() || selectors.iter().any(|it| it.matches(labels))
}

/// Puts everything in the order of the names, which the order of files and watches does not change.
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

/// The newer fields of a v1beta1 BGPPeer are ones that the API server drops.
fn peer_keys(kind: Kind, spec: &Mapping<'_>, report: &mut Report<'_>) {
    only(spec, &peers::KEYS, report);
    if kind != Kind::OldBgpPeer {
        return;
    }
    for key in peers::KEYS.iter().skip(peers::OLD_KEYS).map(|key| key.of(Format::Resources)) {
        if let Some(field) = spec.get(key) {
            field.error(report, "not in v1beta1, expected apiVersion metallb.io/v1beta2");
        }
    }
}

/// Secrets are looked for beside the peer and nowhere else.
fn secret_namespace(spec: &Mapping<'_>, own: &str, report: &mut Report<'_>) {
    // What is no mapping is told where it is read.
    let secret = spec.get("passwordSecret");
    let Some(secret) = secret.as_ref().and_then(Field::entries) else { return };
    let Some(field) = secret.get("namespace").filter(|field| !field.is_empty_text()) else {
        return;
    };
    if field.string(report).is_some_and(|namespace| namespace != own) {
        field.expected(report, &format!("{own}, the namespace of the BGPPeer"));
    }
}

/// Reads a Secret as far as it may be a peer's.
pub(crate) fn secret(object: &Mapping<'_>, at: &Field<'_>, report: &mut Report<'_>) -> SecretDraft {
    let type_ = object.get("type").and_then(|field| field.string(report)).unwrap_or("Opaque");
    let place = report.place_of(at);
    let mut secret = SecretDraft { type_: type_.to_owned(), password: None, place };
    if type_ != SECRET_TYPE {
        return secret;
    }
    // What is wrong here is told without a word of what stands there.
    let entry = |key: &'static str| object.get(key).and_then(|field| field.entry(PASSWORD));
    // The API server writes what is under stringData over what is under data.
    secret.password = match (entry("stringData"), entry("data")) {
        (Some(text), _) => password(text.into_owned(), object, report),
        (None, Some(encoded)) => {
            let octets = BASE64.decode(encoded.split_whitespace().collect::<String>()).ok();
            match octets.and_then(|octets| String::from_utf8(octets).ok()) {
                Some(text) => password(text, object, report),
                None => {
                    let (path, at) = (object.path.key("data"), object.position_of("data"));
                    let mut message = "expected UTF-8 text in base64".to_owned();
                    if let Some(hint) = unfinished(&encoded) {
                        message.push_str(&format!(": {hint}"));
                    }
                    report.error(path.key(PASSWORD), at, message);
                    None
                }
            }
        }
        (None, None) => None,
    };
    secret
}

fn password(text: String, object: &Mapping<'_>, report: &mut Report<'_>) -> Option<Password> {
    let at = |key: &str| object.position_of(key);
    let key = if object.get("stringData").is_some() { "stringData" } else { "data" };
    if text.ends_with('\n') {
        let message = "the password ends with a line break, which routers seldom expect";
        report.warning(object.path.key(key).key(PASSWORD), at(key), message);
    }
    if let Some(hint) = unfinished(&text) {
        let message = format!("the password is hardly this text: {hint}");
        report.warning(object.path.key(key).key(PASSWORD), at(key), message);
    }
    let length = text.len();
    if length > peers::LONGEST_PASSWORD {
        let message =
            format!("expected at most {} octets, found {length}", peers::LONGEST_PASSWORD);
        report.error(object.path.key(key).key(PASSWORD), at(key), message);
        return None;
    }
    (!text.is_empty()).then(|| Password::new(text))
}

/// What a Secret with a peer's password must be.
pub(crate) const SECRET_TYPE: &str = "kubernetes.io/basic-auth";
const PASSWORD: &str = "password";

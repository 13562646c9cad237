//! The resources that mean the same as a configuration.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};

use super::resource_names::ResourceNames;
use super::{pool, spec};
use crate::config::draft::{AnyCommunity, Draft};
use crate::model::{BgpAdvertisement, Config, Peer};

/// The result of migrating a configuration.
#[derive(Debug, Default)]
pub struct Migration {
    /// The resources. Each comes after those that it refers to.
    pub objects: Vec<Value>,
    /// Notes for the user, about changes that the resources cannot make.
    pub notes: Vec<String>,
}

/// Returns the resources for a configuration and the draft that it was resolved from.
pub(super) fn of(config: &Config, draft: &Draft, namespace: &str) -> Migration {
    let mut builder = ResourceBuilder { namespace, migration: Migration::default() };
    let profiles = builder.add_bfd_profiles(config);
    builder.add_communities(draft);
    let peers = builder.add_peers(config, &profiles);
    let pools = builder.add_pools(config);
    builder.add_bgp_advertisements(config, draft, &pools, &peers);
    builder.add_l2_advertisements(config, &pools);
    builder.migration
}

struct ResourceBuilder<'a> {
    namespace: &'a str,
    migration: Migration,
}

impl ResourceBuilder<'_> {
    fn add(&mut self, version: &str, kind: &str, name: &str, spec: Value) {
        self.add_annotated(version, kind, name, None, spec);
    }

    fn add_annotated(
        &mut self,
        version: &str,
        kind: &str,
        name: &str,
        annotations: Option<Value>,
        spec: Value,
    ) {
        let mut metadata = json!({"name": name, "namespace": self.namespace});
        if let Some(annotations) = annotations {
            metadata["annotations"] = annotations;
        }

        self.migration.objects.push(json!({
            "apiVersion": format!("metallb.io/{version}"),
            "kind": kind,
            "metadata": metadata,
            "spec": spec,
        }));
    }

    fn add_bfd_profiles(&mut self, config: &Config) -> ResourceNames {
        let mut names = ResourceNames::default();
        for profile in &config.bfd_profiles {
            let name = names.assign(&profile.name, &profile.name);
            self.add("v1beta1", "BFDProfile", &name, spec::bfd_profile(profile));
        }
        names
    }

    fn add_communities(&mut self, draft: &Draft) {
        let mut aliases = Vec::with_capacity(draft.aliases.len());
        for alias in &draft.aliases {
            aliases.push(json!({"name": alias.name, "value": community_text(alias.value)}));
        }
        if !aliases.is_empty() {
            self.add("v1beta1", "Community", "communities", json!({"communities": aliases}));
        }
    }

    fn add_peers(&mut self, config: &Config, profiles: &ResourceNames) -> ResourceNames {
        let mut names = ResourceNames::default();
        for (number, peer) in (1..).zip(&config.peers) {
            // A peer without a name in the ConfigMap is named after its endpoint.
            let is_named = !peer.name.starts_with(&peer.endpoint());
            let wanted = if is_named { peer.name.clone() } else { format!("peer{number}") };
            let name = names.assign(&peer.name, &wanted);
            self.add_peer(&name, peer, profiles);
        }
        names
    }

    fn add_peer(&mut self, name: &str, peer: &Peer, profiles: &ResourceNames) {
        let mut spec = spec::bgp_peer(peer, profiles);
        if let Some(secret) = self.password_secret(name, peer) {
            spec.insert("passwordSecret".to_owned(), json!({"name": secret}));
        }

        let annotations = spec::peer_annotations(peer);
        self.add_annotated("v1beta2", "BGPPeer", name, annotations, Value::Object(spec));
    }

    /// Returns the name of the Secret with a peer's password, and adds the Secret if the ConfigMap has the password itself.
    fn password_secret(&mut self, name: &str, peer: &Peer) -> Option<String> {
        if let Some(secret) = &peer.password_secret {
            return Some(secret.clone());
        }

        let password = peer.password.as_ref()?;
        let secret = format!("{name}-password");
        self.migration.objects.push(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": secret, "namespace": self.namespace},
            "type": "kubernetes.io/basic-auth",
            "data": {"password": BASE64.encode(password.reveal())},
        }));
        Some(secret)
    }

    fn add_pools(&mut self, config: &Config) -> ResourceNames {
        let mut names = ResourceNames::default();
        for pool in &config.pools {
            let name = names.assign(&pool.name, &pool.name);
            if name != pool.name {
                self.migration.notes.push(format!(
                    "pool {:?} becomes {name:?}: change the Services that name it in an annotation",
                    pool.name
                ));
            }
            let annotations = pool::annotations(pool);
            self.add_annotated("v1beta1", "IPAddressPool", &name, annotations, pool::spec(pool));
        }
        names
    }

    fn add_bgp_advertisements(
        &mut self,
        config: &Config,
        draft: &Draft,
        pools: &ResourceNames,
        peers: &ResourceNames,
    ) {
        let mut added: Vec<BgpAdvertisement> = Vec::new();
        for (drafted, advertisement) in
            draft.bgp_advertisements.iter().zip(&config.bgp_advertisements)
        {
            let name = &advertisement.name;
            let nameless = BgpAdvertisement { name: String::new(), ..advertisement.clone() };
            if added.contains(&nameless) {
                self.migration.notes.push(format!("{name} repeats another one and is left out"));
                continue;
            }
            added.push(nameless);

            let spec = spec::bgp_advertisement(advertisement, drafted, pools, peers);
            self.add("v1beta1", "BGPAdvertisement", name, spec);
        }
    }

    fn add_l2_advertisements(&mut self, config: &Config, pools: &ResourceNames) {
        for advertisement in &config.l2_advertisements {
            let spec = json!({"ipAddressPools": spec::pool_names(&advertisement.pools, pools)});
            self.add("v1beta1", "L2Advertisement", &advertisement.name, spec);
        }
    }
}

/// Returns the value of a community alias. It is empty for an invalid alias, which is an error elsewhere.
fn community_text(community: Option<AnyCommunity>) -> String {
    match community {
        Some(AnyCommunity::Standard(value)) => format!("{}:{}", value.0 >> 16, value.0 & 0xffff),
        Some(AnyCommunity::Large(value)) => format!("large:{value}"),
        None => String::new(),
    }
}

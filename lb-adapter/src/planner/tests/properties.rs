//! Properties of every plan, checked on random clusters.

use proptest::prelude::*;

use bgp_core::wire::Community;

use crate::model::{LabelSelector, ServiceType};

use super::*;

/// A Service and its endpoints: node and readiness of each.
#[derive(Clone, Debug)]
struct ServiceSketch {
    type_: ServiceType,
    policy: ExternalTrafficPolicy,
    pool: Option<&'static str>,
    shares: bool,
    endpoints: Vec<(&'static str, Option<bool>)>,
}

fn sketch() -> impl Strategy<Value = ServiceSketch> {
    let type_ = prop_oneof![5 => Just(ServiceType::LoadBalancer), 1 => Just(ServiceType::NodePort)];
    let policies = vec![ExternalTrafficPolicy::Cluster, ExternalTrafficPolicy::Local];
    let pool = prop::option::of(prop::sample::select(vec!["one", "two", "three"]));
    let node = prop::sample::select(vec!["kube1", "kube2", "elsewhere"]);
    let endpoints = prop::collection::vec((node, any::<Option<bool>>()), 0..3);
    (type_, prop::sample::select(policies), pool, any::<bool>(), endpoints).prop_map(
        |(type_, policy, pool, shares, endpoints)| ServiceSketch {
            type_,
            policy,
            pool,
            shares,
            endpoints,
        },
    )
}

fn advertisement() -> impl Strategy<Value = BgpAdvertisement> {
    let length = prop::sample::select(vec![24, 30, 32]);
    let communities = prop::collection::btree_set((1_u32..4).prop_map(Community), 0..3);
    (length, prop::option::of(1_u32..3), communities).prop_map(
        |(aggregation_length, local_pref, communities)| BgpAdvertisement {
            aggregation_length,
            local_pref,
            communities,
            ..BgpAdvertisement::new("a")
        },
    )
}

fn cluster() -> impl Strategy<Value = Cluster> {
    let advertisements = || prop::collection::vec(advertisement(), 0..4);
    let peer = (any::<bool>(), any::<bool>());
    let (peers, sketches) =
        (prop::collection::vec(peer, 0..3), prop::collection::vec(sketch(), 0..8));
    (advertisements(), advertisements(), peers, sketches, any::<bool>()).prop_map(
        |(one, two, peers, sketches, own)| {
            let mut cluster = Cluster::default();
            cluster.config.pools.clear();
            cluster.config.bgp_advertisements.clear();
            for (name, range, advertisements) in
                [("one", "10.0.0.0/31", one), ("two", "10.0.0.4/30", two)]
            {
                cluster.config.pools.push(Pool::new(name, vec![range.parse().unwrap()]));
                cluster.announce(name, advertisements);
            }
            cluster.config.peers =
                peers.into_iter().zip(1..).map(|(kind, last)| peer_of(kind, last)).collect();
            cluster.next_hop =
                if own { NextHopPolicy::NodeAddress } else { NextHopPolicy::SessionAddress };
            sketches
                .iter()
                .zip('a'..)
                .fold(cluster, |cluster, (sketch, name)| sketch.add_to(cluster, name))
        },
    )
}

fn peer_of((internal, selective): (bool, bool), last: u8) -> Peer {
    let asn = if internal { Asn(64636) } else { Asn(64635) };
    let mut peer = Peer::new(Asn(64636), asn, IpAddr::from([172, 22, 35, last]));
    if selective {
        let mut selector = LabelSelector::default();
        selector.match_labels.insert("rack".to_owned(), "b".to_owned());
        peer.node_selectors.push(selector);
    }
    peer
}

impl ServiceSketch {
    fn add_to(&self, cluster: Cluster, name: char) -> Cluster {
        let nodes: Vec<_> = self.endpoints.iter().map(|(node, _)| *node).collect();
        let mut cluster = cluster.service(&name.to_string(), &nodes, |service| {
            (service.type_, service.external_traffic_policy) = (self.type_, self.policy);
            let mut annotate = |name: &str, value: &str| {
                service.annotations.insert(format!("metallb.io/{name}"), value.to_owned());
            };
            if let Some(pool) = self.pool {
                annotate("address-pool", pool);
            }
            if self.shares {
                annotate("allow-shared-ip", "k");
            }
        });
        let slice = cluster.slices.last_mut().unwrap();
        for (endpoint, (_, ready)) in slice.endpoints.iter_mut().zip(&self.endpoints) {
            endpoint.ready = *ready;
        }
        cluster
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#?}\n{:#?}\n{:#?}", self.config, self.services, self.slices)
    }
}

proptest! {
    #[test]
    fn every_service_is_announced_to_a_peer_or_has_a_reason(mut cluster in cluster()) {
        cluster.nodes[1].labels.insert("rack".to_owned(), "b".to_owned());
        for plan in cluster.plans() {
            for (key, (addresses, _)) in &plan.services {
                for peer in &plan.peers {
                    let verdict = plan.announced_to(key, &peer.peer.name);
                    let routes = peer.routes.iter();
                    let prefixes: BTreeSet<_> = routes
                        .filter(|(_, route)| route.services().any(|service| service == key))
                        .map(|(prefix, _)| *prefix)
                        .collect();
                    match verdict {
                        Ok(verdict) => {
                            prop_assert_eq!(verdict, prefixes);
                            let address = addresses[0];
                            prop_assert!(plan.announced(key).all(|(_, it)| it.contains(&address)));
                        }
                        Err(reason) => {
                            prop_assert!(prefixes.is_empty());
                            prop_assert!(reason.is_some(), "{} to {}", key, peer.peer.name);
                        }
                    }
                }
                let silent = plan.peers.is_empty() && plan.services[key].1.is_empty();
                prop_assert!(!silent, "a node without peers has a reason too");
            }
        }
    }

    #[test]
    fn a_plan_is_the_sum_of_the_contributions_of_its_services(cluster in cluster()) {
        let whole = cluster.plan("kube1");
        let single: Vec<_> = cluster
            .services
            .iter()
            .map(|service| cluster.plan_of("kube1", std::slice::from_ref(service)))
            .collect();
        for (at, peer) in whole.peers.iter().enumerate() {
            let mut joined: BTreeMap<IpNet, (BTreeSet<ServiceKey>, BTreeSet<Community>)> =
                BTreeMap::new();
            for (prefix, route) in single.iter().flat_map(|plan| &plan.peers[at].routes) {
                let (services, communities) = joined.entry(*prefix).or_default();
                services.extend(route.services().cloned());
                communities.extend(route.communities());
            }
            let found = peer.routes.iter().map(|(prefix, route)| {
                let communities = route.communities().iter().copied().collect();
                (*prefix, (route.services().cloned().collect(), communities))
            });
            prop_assert_eq!(joined, found.collect());
        }
    }

    #[test]
    fn an_updated_plan_equals_a_new_plan(
        before in cluster(),
        after in cluster(),
        order in any::<u8>(),
    ) {
        let mut plan = before.plan("kube1").plan;
        plan.set_context(after.context("kube1"));
        let rotation = usize::from(order) % after.services.len().max(1);
        let (first, last) = after.services.split_at(rotation.min(after.services.len()));
        for services in [last, first] {
            after.each(services, |input| {
                plan.update(input);
            });
        }
        for service in &before.services {
            if !after.services.iter().any(|it| it.key == service.key) {
                plan.remove(&service.key);
            }
        }
        let new = after.plan("kube1").plan;
        prop_assert_eq!(&plan, &new);
        // An update with the same input changes nothing.
        after.each(&after.services, |input| assert_eq!(plan.update(input), [].into()));
        prop_assert_eq!(&plan, &new);
        // The changes that are returned are all changes.
        for service in &after.services {
            let routes = |plan: &Plan| -> Vec<_> {
                let mut routes = Vec::new();
                for peer_plan in &plan.peers {
                    let peer: Arc<str> = peer_plan.peer.name.as_str().into();
                    for (prefix, attributes) in &peer_plan.route_set() {
                        let key = RouteKey { peer: Arc::clone(&peer), prefix };
                        routes.push((key, Arc::clone(attributes)));
                    }
                }
                routes
            };
            let before = routes(&plan);
            let changed = plan.remove(&service.key);
            let after = routes(&plan);
            let differing = before.into_iter().filter(|route| !after.contains(route));
            let differing: BTreeSet<_> = differing.map(|(key, _)| key).collect();
            prop_assert_eq!(differing, changed);
        }
        prop_assert!(plan.peers.iter().all(|peer| peer.routes.is_empty()));
    }

    #[test]
    fn routes_suit_their_peer_in_any_order_of_services(cluster in cluster()) {
        let whole = cluster.plan("kube1");
        let own = cluster.next_hop == NextHopPolicy::NodeAddress;
        for peer in &whole.peers {
            for route in peer.routes.values() {
                prop_assert_eq!(route.local_pref().is_some(), peer.peer.is_internal());
                prop_assert_eq!(route.next_hop().is_some(), own);
            }
            prop_assert_eq!(peer.route_set().len(), peer.routes.len());
        }
        let mut reversed = cluster;
        reversed.services.reverse();
        reversed.slices.reverse();
        prop_assert_eq!(reversed.plan("kube1"), whole);
    }

    #[test]
    fn a_router_with_all_announcements_has_the_expected_table(cluster in cluster()) {
        let plans = cluster.plans();
        for peer in &cluster.config.peers {
            let router = peer.socket_address().unwrap();
            let plans = || plans.iter().map(|planned| &planned.plan);
            let wanted = expected_router_table(plans(), router);
            let mut found = expected_router_table(plans().rev(), router);
            prop_assert_eq!(wanted.diff(&found), []);
            let surplus = RouterPath::through(ip("192.0.2.1"));
            found.insert(net("192.0.2.0/24"), surplus);
            prop_assert_eq!(wanted.diff(&found).len(), 1);
        }
    }
}

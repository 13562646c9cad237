//! Tests of origin validation (RFC 6811) in policies: routes are judged again when VRPs change (RFC 8481, RFC 9324).

use super::net::Net;
use super::{prefix, secs};
use crate::Asn;
use crate::fsm::RestartConfig;
use crate::peer::{Import, PeerSettings, PrefixLimits};
use crate::policy::{Action, AsnSet, Match, Policy, Rule};
use crate::rib::{Route, RouteSet};
use crate::rpki::{Validity, Vrp, VrpChange, VrpTable};

/// Rejects invalid routes, and prefers valid ones.
fn rov() -> Policy {
    Policy::accept_all()
        .rule(Rule::reject(Match::Validity(Validity::Invalid)))
        .rule(Rule::change(Match::Validity(Validity::Valid)).action(Action::LocalPref(Some(200))))
}

/// Two nodes of which node 0 has announced three routes, and node 1 has this import policy.
fn up(policy: Policy, change: impl FnOnce(&mut [PeerSettings; 2])) -> Net {
    let mut configs = Net::configs();
    configs[1].import = Import::Keep;
    configs[1].policies.import = Some(policy.into());
    change(&mut configs);
    let mut net = Net::new(configs, 4);
    let routes = ["10.0.0.0/24", "10.1.0.0/24", "2001:db8::/32"];
    let routes = routes.map(|text| Route::new(prefix(text)));
    net.mutate(0, |peer, _| peer.set_routes(&RouteSet::from(routes)));
    net.bring_up();
    net
}

/// The routes that node 1 holds, with LOCAL_PREF.
fn held(net: &Net) -> Vec<String> {
    let routes = net.nodes[1].peer.adj_rib_in().iter();
    let text =
        |(prefix, attributes): (ipnet::IpNet, &std::sync::Arc<crate::wire::PathAttributes>)| {
            format!("{prefix} {}", attributes.local_pref.unwrap_or_default())
        };
    routes.map(text).collect()
}

fn set(net: &mut Net, vrps: &[(&str, u32)]) {
    let table: VrpTable =
        vrps.iter().map(|(text, asn)| Vrp::new(prefix(text), Asn(*asn))).collect();
    net.mutate(1, |peer, _| {
        peer.set_vrps(&table);
        // One route at a time, as a busy driver would.
        while peer.revalidate(1) {}
    });
    net.run(secs(1));
}

/// The AS of node 0.
const SENDER: u32 = 64636;

#[test]
fn changed_vrps_let_routes_in_and_out_without_a_route_refresh() {
    let mut net = up(rov(), |_| ());
    assert_eq!(held(&net), ["10.0.0.0/24 0", "10.1.0.0/24 0"]);
    set(&mut net, &[("10.0.0.0/24", SENDER), ("10.1.0.0/16", 1)]);
    assert_eq!(held(&net), ["10.0.0.0/24 200"]);
    set(&mut net, &[("10.0.0.0/24", 1), ("10.1.0.0/24", 1), ("10.1.0.0/24", SENDER)]);
    assert_eq!(held(&net), ["10.1.0.0/24 200"]);
    set(&mut net, &[]);
    assert_eq!(held(&net), ["10.0.0.0/24 0", "10.1.0.0/24 0"]);
    assert_eq!(net.nodes[1].peer.stats().sent.route_refresh, 0);
    assert_eq!(net.nodes[0].peer.stats().established_transitions, 1);
}

#[test]
fn a_route_that_is_withdrawn_while_it_is_rejected_does_not_come_back() {
    let mut net = up(rov(), |_| ());
    set(&mut net, &[("10.0.0.0/8", 1)]);
    assert!(held(&net).is_empty());
    set(&mut net, &[("10.0.0.0/24", 1)]);
    net.mutate(0, |peer, _| peer.withdraw(prefix("10.0.0.0/24")));
    net.run(secs(1));
    set(&mut net, &[]);
    assert_eq!(held(&net), ["10.1.0.0/24 0"]);
}

#[test]
fn only_changes_of_prefixes_around_a_route_are_looked_at() {
    let mut net = up(rov(), |_| ());
    net.mutate(1, |peer, _| {
        peer.set_vrps(&VrpTable::from([Vrp::new(prefix("192.0.2.0/24"), Asn(1))]));
        assert!(peer.has_unvalidated());
        assert!(!peer.revalidate(2) && !peer.has_unvalidated());
    });
    // A policy that does not ask for validity keeps no routes for it.
    let mut net_without = up(Policy::accept_all(), |_| ());
    net_without.mutate(1, |peer, _| {
        peer.set_vrps(&VrpTable::from([Vrp::new(prefix("10.0.0.0/8"), Asn(1))]));
        assert!(!peer.has_unvalidated() && !peer.revalidate(1));
    });
    assert_eq!(held(&net_without).len(), 2);
}

#[test]
fn a_peer_that_missed_a_change_looks_at_all_routes_after_the_next() {
    let table = |text| VrpTable::from([Vrp::new(prefix(text), Asn(1))]);
    let tables = [VrpTable::default(), table("10.0.0.0/24"), table("10.1.0.0/24")];
    let changes = [0, 1].map(|at| VrpChange::between(&tables[at], &tables[at + 1]));
    assert!(!changes[0].is_empty());

    let mut net = up(rov(), |_| ());
    net.mutate(1, |peer, _| {
        peer.change_vrps(&changes[0]);
        while peer.revalidate(1) {}
        // The same table again concerns no route.
        peer.change_vrps(&VrpChange::between(&VrpTable::default(), &tables[1]));
        assert!(!peer.has_unvalidated());
    });
    assert_eq!(held(&net), ["10.1.0.0/24 0"]);

    // From the second table to an equal one nothing differs, but this peer does not have the second.
    let equal = VrpChange::between(&tables[2], &table("10.1.0.0/24"));
    assert!(equal.is_empty());
    net.mutate(1, |peer, _| {
        peer.change_vrps(&equal);
        while peer.revalidate(1) {}
    });
    assert_eq!(held(&net), ["10.0.0.0/24 0"]);
}

#[test]
fn rejected_routes_count_towards_the_limit_because_they_are_kept() {
    let mut net = up(rov(), |[_, b]| b.maximum_prefixes = PrefixLimits::each(2));
    set(&mut net, &[("10.0.0.0/8", 1)]);
    net.mutate(0, |peer, _| peer.announce(&Route::new(prefix("10.2.0.0/24"))));
    net.run(secs(1));
    assert_eq!(net.nodes[0].peer.stats().sessions_lost, 1);
}

#[test]
fn stale_routes_are_judged_again_and_stay_stale() {
    let mut net = up(rov(), |[a, b]| {
        for settings in [a, b] {
            settings.fsm.extensions.graceful_restart = Some(RestartConfig::default());
        }
    });
    set(&mut net, &[("10.0.0.0/24", 1)]);
    net.mutate(1, |peer, _| {
        peer.adj_rib_in.mark_stale(crate::AfiSafi::IPV4_UNICAST);
        peer.set_vrps(&VrpTable::from([Vrp::new(prefix("10.0.0.0/24"), Asn(SENDER))]));
        while peer.revalidate(1) {}
        let stale = peer.adj_rib_in().stale(crate::AfiSafi::IPV4_UNICAST);
        assert_eq!((stale, peer.adj_rib_in().len()), (2, 2));
        assert_eq!(peer.adj_rib_in.remove_stale(crate::AfiSafi::IPV4_UNICAST).len(), 2);
        peer.set_vrps(&VrpTable::default());
        while peer.revalidate(1) {}
        assert!(peer.adj_rib_in().is_empty());
    });
}

#[test]
fn policies_see_the_peer_that_sent_a_route() {
    let from = |asn| Match::PeerAs(AsnSet::from(Asn(asn)));
    let net = up(Policy::accept_all().rule(Rule::reject(from(SENDER))), |_| ());
    assert!(held(&net).is_empty());
    let net = up(Policy::accept_all().rule(Rule::reject(from(SENDER + 9) | Match::Own)), |_| ());
    assert_eq!(held(&net).len(), 2);
}

#[test]
fn an_export_policy_is_applied_again_when_vrps_change() {
    let mut net = up(Policy::accept_all(), |[a, _]| a.policies.export = Some(rov().into()));
    assert_eq!(held(&net).len(), 2);
    net.mutate(0, |peer, _| {
        peer.set_vrps(&VrpTable::from([Vrp::new(prefix("10.0.0.0/24"), Asn(1))]));
    });
    net.run(secs(1));
    assert_eq!(held(&net), ["10.1.0.0/24 0"]);
}

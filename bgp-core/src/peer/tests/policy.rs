//! Tests of policies (including RFC 8212), roles (RFC 9234) and drains (RFC 8326) between two peers.

use std::sync::Arc;

use bytes::BytesMut;
use ipnet::Ipv4Net;

use super::net::Net;
use super::{prefix, secs};
use crate::Asn;
use crate::fsm::RoleConfig;
use crate::peer::{Import, PeerSettings};
use crate::policy::{Action, Match, Policy, PrefixMatch, Rule};
use crate::rib::{Route, RouteSet};
use crate::wire::{Community, Frame, NextHop, PathAttributes, Role, Update, WireContext};

/// Two nodes of which node 0 has announced two routes.
fn up(change: impl FnOnce(&mut [PeerSettings; 2])) -> Net {
    let mut configs = Net::configs();
    configs[1].import = Import::Keep;
    change(&mut configs);
    let mut net = Net::new(configs, 4);
    let routes = ["10.0.0.0/24", "10.1.0.0/24"].map(|text| Route::new(prefix(text)));
    net.mutate(0, |peer, _| peer.set_routes(&RouteSet::from(routes)));
    net.bring_up();
    net
}

fn held(net: &Net) -> Vec<String> {
    net.nodes[1].peer.adj_rib_in().iter().map(|(prefix, _)| prefix.to_string()).collect()
}

fn attributes(net: &Net) -> Arc<PathAttributes> {
    let found = net.nodes[1].peer.adj_rib_in().get(&prefix("10.0.0.0/24"));
    Arc::clone(found.expect("the route is held"))
}

fn without(text: &str) -> Option<Arc<Policy>> {
    let matches = Match::prefixes([PrefixMatch::exactly(prefix(text))]);
    Some(Policy::accept_all().rule(Rule::reject(matches)).into())
}

#[test]
fn without_any_policy_no_route_passes_in_or_out_rfc_8212() {
    let mut net = Net::new(Net::configs(), 4);
    net.mutate(0, |peer, _| peer.announce(&Route::new(prefix("10.0.0.0/24"))));
    net.bring_up();
    // By default no received route is kept, and a route is sent only to the peer that it was given to.
    assert!(net.nodes[1].peer.adj_rib_in().is_empty());
    assert_eq!(net.nodes[1].peer.stats().prefixes_announced_in, 1);
    assert_eq!(net.nodes[1].peer.stats().prefixes_announced_out, 0);
}

#[test]
fn an_export_policy_takes_effect_at_once_and_its_removal_announces_the_other_routes() {
    let mut net = up(|[a, _]| a.policies.export = without("10.1.0.0/24"));
    assert_eq!(held(&net), ["10.0.0.0/24"]);
    net.mutate(0, |peer, _| peer.announce(&Route::new(prefix("10.1.0.0/24")).med(1)));
    net.run(secs(1));
    assert_eq!(held(&net), ["10.0.0.0/24"]);
    let mut config = net.nodes[0].peer.settings().clone();
    let marks = Rule::change(Match::all()).action(Action::AddCommunity(Community::new(1, 2)));
    config.policies.export = Some(Policy::accept_all().rule(marks).into());
    net.mutate(0, |peer, now| peer.reconfigure(now, config.clone()));
    net.run(secs(1));
    assert_eq!(held(&net), ["10.0.0.0/24", "10.1.0.0/24"]);
    assert_eq!(attributes(&net).communities, [Community::new(1, 2)]);
    config.policies.export = None;
    net.mutate(0, |peer, now| peer.reconfigure(now, config));
    net.mutate(0, |peer, _| peer.withdraw(prefix("10.1.0.0/24")));
    net.run(secs(1));
    assert_eq!(held(&net), ["10.0.0.0/24"]);
    assert!(attributes(&net).communities.is_empty());
    assert_eq!(net.nodes[0].peer.stats().established_transitions, 1, "without a new session");
}

#[test]
fn a_changed_import_policy_requests_a_route_refresh() {
    let mut net = up(|[_, b]| b.policies.import = without("10.1.0.0/24"));
    assert_eq!(held(&net), ["10.0.0.0/24"]);
    let mut config = net.nodes[1].peer.settings().clone();
    config.policies.import = without("10.0.0.0/24");
    net.mutate(1, |peer, now| peer.reconfigure(now, config));
    net.run(secs(1));
    assert_eq!(held(&net), ["10.1.0.0/24"]);
}

#[test]
fn a_customer_marks_routes_of_its_provider_and_does_not_pass_them_on() {
    let mut net = up(|[a, b]| {
        a.fsm.role = Some(RoleConfig::new(Role::PROVIDER));
        b.fsm.role = Some(RoleConfig::new(Role::CUSTOMER));
    });
    assert_eq!(attributes(&net).only_to_customer, Some(Asn(64636)));
    let marked = PathAttributes { only_to_customer: Some(Asn(1)), ..PathAttributes::default() };
    let leak = Route::with_attributes(prefix("10.2.0.0/24"), marked.into());
    net.mutate(1, |peer, _| peer.announce(&leak));
    net.run(secs(1));
    assert_eq!(net.nodes[1].peer.stats().prefixes_unsendable, 1);
}

#[test]
fn a_drain_repeats_every_route_with_its_mark_and_its_end_without() {
    let mut net = up(|_| ());
    net.mutate(0, |peer, _| peer.drain(true));
    net.run(secs(1));
    assert_eq!(attributes(&net).communities, [Community::GRACEFUL_SHUTDOWN]);
    // RFC 8326, section 4.2: the receiver prefers any other path.
    assert_eq!(attributes(&net).local_pref, Some(0));
    let sent = net.nodes[0].peer.stats().sent.update;
    net.mutate(0, |peer, _| peer.drain(true));
    net.run(secs(1));
    assert_eq!(net.nodes[0].peer.stats().sent.update, sent, "said once");
    net.mutate(0, |peer, _| peer.drain(false));
    net.run(secs(1));
    assert_eq!(attributes(&net).communities, []);
    assert_eq!(held(&net).len(), 2);
}

/// The communities and the next hop of each UPDATE that announces routes, with the number of its routes.
fn announcements(octets: &[u8], cx: WireContext) -> Vec<(Vec<Community>, Option<NextHop>, usize)> {
    let mut rest = octets;
    let mut all = Vec::new();
    while let Ok(Some(frame)) = Frame::split(rest, cx.limit()) {
        rest = &rest[frame.as_bytes().len()..];
        let Ok(update) = Update::decode(frame, cx) else { panic!("no UPDATE") };
        if update.reachable().next().is_some() {
            let attributes = update.to_attributes();
            all.push((attributes.communities, attributes.next_hop, update.reachable().count()));
        }
    }
    all
}

#[test]
fn a_change_during_a_group_of_many_messages_applies_from_the_next_message() {
    let mut net = up(|_| ());
    let mut out = BytesMut::new();
    net.mutate(0, |peer, now| {
        let direction = peer.established().expect("it is up");
        let hosts = (0..30_000).map(|n| Ipv4Net::new_assert((0x0a00_0000 + n).into(), 32).into());
        peer.set_routes(&hosts.map(Route::new).collect());
        // Before that, two routes are withdrawn.
        for _ in 0..2 {
            assert!(peer.poll_transmit(now, direction, &mut out));
        }
        peer.drain(true);
        assert!(peer.poll_transmit(now, direction, &mut out));
        let mut config = peer.settings().clone();
        config.next_hops.ipv4 = Some([192, 0, 2, 1].into());
        peer.reconfigure(now, config);
        while peer.poll_transmit(now, direction, &mut out) {}
    });
    let cx = net.nodes[0].peer.negotiated().expect("it is up").send_context();
    let all = announcements(&out, cx);
    let marks: Vec<_> = all.iter().map(|(communities, ..)| communities.len()).collect();
    assert_eq!(marks, [0, 1, 1, 1, 1]);
    let own = |text: &str| text.parse().ok();
    let next_hops: Vec<_> = all.iter().map(|(_, next_hop, _)| *next_hop).collect();
    assert_eq!(next_hops[..2], [own("10.0.0.1"); 2]);
    assert_eq!(next_hops[2..], [own("192.0.2.1"); 3]);
    // All routes are repeated.
    assert_eq!(all[2..].iter().map(|(.., count)| count).sum::<usize>(), 30_000);
}

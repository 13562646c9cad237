//! A [`Speaker`](bgp_session::Speaker) against real BIRD, FRR, GoBGP, ExaBGP and OpenBGPD, over TCP
//! on port 179, each side in a network namespace of its own.
//!
//! [`matrix!`] is the table of features and daemons. A story is written once, for any `Router`, and
//! each `yes` in its row becomes a test, named `daemon::story`. The page `docs/interop.md` is
//! made of the same rows. They run when `FERROLB_TEST_INTEROP=1`, as root (`make interop`); see the
//! crate `test-peers` for the tools of a story.

mod collision;
mod paths;
mod relay;
mod restart;
mod routes;
mod sessions;
mod site;
mod table;
mod terms;
mod us;

use collision::*;
use paths::*;
use relay::*;
use restart::*;
use routes::*;
use sessions::*;
use site::Site;
use table::{Cell, Row};
use terms::*;
use test_peers::{Bird, Exabgp, Frr, Gobgp, Openbgpd, Router, requested};
use us::*;

/// Runs a story with one daemon.
fn tell<R: Router>(name: &str, story: fn(&Site)) {
    if requested() {
        let site = Site::new(R::NAME, name);
        story(&site);
        site.judge();
    }
}

macro_rules! test {
    ($router:ident, $story:ident, yes) => {
        #[test]
        fn $story() {
            super::tell::<super::$router>(stringify!($story), super::$story::<super::$router>);
        }
    };
    ($router:ident, $story:ident, (no $reason:expr)) => {};
}

macro_rules! cell {
    (yes) => {
        Cell::Yes
    };
    ((no $reason:expr)) => {
        Cell::No($reason)
    };
}

macro_rules! matrix {
    ($($title:literal, $story:ident: $bird:tt $frr:tt $gobgp:tt $exabgp:tt $openbgpd:tt;)*) => {
        const MATRIX: &[Row] = &[$(Row {
            title: $title,
            story: stringify!($story),
            cells: [cell!($bird), cell!($frr), cell!($gobgp), cell!($exabgp), cell!($openbgpd)],
        }),*];
        mod bird {
            $(test!(Bird, $story, $bird);)*
        }
        mod frr {
            $(test!(Frr, $story, $frr);)*
        }
        mod gobgp {
            $(test!(Gobgp, $story, $gobgp);)*
        }
        mod exabgp {
            $(test!(Exabgp, $story, $exabgp);)*
        }
        mod openbgpd {
            $(test!(Openbgpd, $story, $openbgpd);)*
        }
    };
}

const ANY_CAPABILITY: &str =
    "It ignores capabilities that it does not support, and has no option to refuse them.";
const EXABGP_COMMUNICATION: &str =
    "ExaBGP 4.2 fails to read a shutdown message under Python 3, and cannot send one.";
const NO_BFD: &str = "Neither GoBGP 3 nor ExaBGP has BFD.";
const NO_TABLE: &str =
    "ExaBGP keeps no table of received routes, so it has nothing to limit, keep or relay.";
const ONE_PATH: &str = "It originates one path to a prefix and relays several, see the next row.";
const NO_LONG: &str = "Neither GoBGP 3 nor OpenBGPD 7.7 supports RFC 8654.";
const NO_ROLES: &str = "Neither GoBGP 3 nor ExaBGP 4 supports roles.";
const ONE_CONNECTION: &str =
    "It never has two connections to resolve, because it closes one while the other is opening.";

//   feature, story: BIRD FRR GoBGP ExaBGP OpenBGPD
matrix! {
    "Session over IPv4, routes of IPv4 and IPv6 with their attributes",
    routes_arrive_with_the_attributes_they_were_given: yes yes yes yes yes;
    "Session over IPv6, routes of both families",
    a_session_over_ipv6_carries_both_families: yes yes yes yes yes;
    "Internal session, LOCAL_PREF",
    an_internal_session_carries_local_pref_and_an_empty_as_path: yes yes yes yes yes;
    "Changes and withdrawals, and nothing else",
    what_changes_is_withdrawn_or_replaced_and_nothing_else: yes yes yes yes yes;
    "Received routes",
    the_routers_routes_are_received_and_withdrawn: yes yes yes yes yes;
    "Communities, extended communities, large communities, both ways",
    communities_of_all_three_kinds_go_both_ways: yes yes yes yes yes;
    "Four-octet AS numbers, both ways",
    as_numbers_of_four_octets_go_both_ways: yes yes yes yes yes;
    "A local AS in the path, with and without our own",
    a_local_as_stands_in_the_path_with_or_without_the_speakers_own: yes yes yes yes yes;
    "A router of any external AS",
    a_router_of_any_external_as_is_met: yes yes yes yes yes;
    "A router that refuses a capability of ours (RFC 5492)",
    a_capability_that_the_router_refuses_is_left_out:
        (no ANY_CAPABILITY) yes (no ANY_CAPABILITY) (no ANY_CAPABILITY) (no ANY_CAPABILITY);
    "A router with two-octet AS numbers only",
    an_old_speaker_hears_of_as_trans:
        yes yes (no "GoBGP always offers the capability for four-octet AS numbers.") yes yes;
    "Route refresh that the router asks for",
    a_refresh_that_the_router_asks_for_repeats_all_routes: yes yes
        (no "GoBGP never asks, because it keeps everything that it receives.") yes yes;
    "Route refresh that we ask for",
    a_refresh_that_we_ask_for_brings_all_routes_again: yes yes yes
        (no "ExaBGP 4.2 ends the session when a peer asks.")
        (no "OpenBGPD 7.7 refuses the request, as if the family were not negotiated.");
    "Our routes sent again without a request",
    routes_that_we_send_again_stay_at_the_router: yes yes yes yes yes;
    "IPv4 routes with IPv6 next hops (RFC 8950), both ways",
    routes_of_ipv4_have_next_hops_of_ipv6_both_ways: yes yes yes yes
        (no "OpenBGPD 7.7 does not support RFC 8950.");
    "Several paths to a prefix (ADD-PATH), that we announce",
    several_paths_of_ours_reach_the_router: yes yes yes yes yes;
    "Several paths to a prefix (ADD-PATH), that the router originates",
    several_paths_that_the_router_originates_reach_us:
        (no ONE_PATH) (no ONE_PATH) (no ONE_PATH) yes (no ONE_PATH);
    "Several paths to a prefix (ADD-PATH), that the router relays",
    several_paths_of_the_routers_reach_us: yes yes yes (no NO_TABLE) yes;
    "A client of our route server (RFC 7947)",
    a_route_server_of_ours_changes_nothing_between_its_clients: yes yes yes (no NO_TABLE) yes;
    "A client of our route server, killed",
    a_client_of_ours_that_is_killed_loses_its_routes_and_gets_all_again:
        yes yes yes (no NO_TABLE) yes;
    "Routes of other peers that we relay as a router",
    a_router_of_ours_passes_routes_on_with_its_as_and_its_next_hop:
        yes yes yes (no NO_TABLE) yes;
    "Messages of more than 4,096 octets (RFC 8654)",
    a_message_may_be_longer_than_4096_octets: yes yes (no NO_LONG) yes (no NO_LONG);
    "TCP MD5, and a wrong password",
    a_password_signs_the_session_and_a_wrong_one_prevents_it: yes yes yes yes yes;
    "TTL security (GTSM), and a router without it",
    ttl_security_takes_a_router_on_the_link_and_no_other: yes yes yes yes yes;
    "BFD, and a silent link",
    bfd_ends_the_session_of_a_silent_link: yes yes (no NO_BFD) (no NO_BFD)
        (no "OpenBGPD has BFD only on OpenBSD, in the kernel.");
    "The router dials, we are passive",
    a_router_that_dials_finds_a_passive_speaker: yes yes yes yes yes;
    "Connection collision resolved by BGP Identifiers",
    of_two_connections_the_higher_identifiers_stays:
        yes yes (no ONE_CONNECTION) (no ONE_CONNECTION) (no ONE_CONNECTION);
    "Hold time, and a silent link",
    the_smaller_hold_time_holds_and_a_silent_link_ends_the_session: yes yes yes yes yes;
    "Our process killed: its routes disappear, and the next process announces them again",
    a_killed_process_of_ours_takes_its_routes_along_and_the_next_brings_them: yes yes yes yes yes;
    "Graceful restart: our process killed, no route lost at the router",
    our_process_is_killed_and_the_router_loses_no_route: yes yes yes (no NO_TABLE) yes;
    "Graceful restart: our configuration changed, no route lost at the router",
    another_configuration_ends_our_session_and_the_router_loses_no_route:
        (no "BIRD 2.0.12 does not support RFC 8538: it drops the routes at every NOTIFICATION.")
        yes yes (no NO_TABLE)
        (no "OpenBGPD 7.7 does not support RFC 8538: it drops the routes at every NOTIFICATION.");
    "Graceful restart: the router killed, no route lost here",
    the_router_is_killed_and_we_lose_no_route: yes yes yes yes
        (no "OpenBGPD keeps the routes of restarting peers, but does not ask its peers to do the same.");
    "Long-lived graceful restart: the router keeps our routes as stale",
    long_after_a_kill_our_routes_are_stale_at_the_router_but_there: yes yes yes (no NO_TABLE)
        (no "OpenBGPD 7.7 does not support RFC 9494.");
    "The router killed or stopped: it gets all routes again",
    a_router_that_was_killed_gets_everything_again: yes yes yes yes yes;
    "Shutdown message, received by the router",
    a_shutdown_and_its_message_reach_the_routers_operator:
        yes yes yes (no EXABGP_COMMUNICATION) yes;
    "Shutdown message, received from the router",
    a_shutdown_by_the_router_and_its_message_reach_us:
        yes yes yes (no EXABGP_COMMUNICATION) yes;
    "Reset with a message, and the next session",
    a_reset_and_its_message_reach_the_routers_operator_and_the_session_comes_back:
        yes yes yes (no EXABGP_COMMUNICATION) yes;
    "Disabled with a message, and enabled again",
    a_disabled_peer_is_told_why_and_gets_everything_again_when_enabled:
        yes yes yes (no EXABGP_COMMUNICATION) yes;
    "Drain (RFC 8326): marked, withdrawn, ended",
    a_drain_is_seen_by_the_router_step_by_step: yes yes yes yes yes;
    "Prefix limit of the router",
    too_many_prefixes_of_ours_end_the_session_there: yes yes yes (no NO_TABLE) yes;
    "Our prefix limit",
    a_router_that_sends_too_many_prefixes_is_told_and_left_alone: yes yes yes yes yes;
    "Roles, and roles that do not match",
    roles_that_fit_are_agreed_on_and_others_refused: yes yes
        (no NO_ROLES) (no NO_ROLES) yes;
}

//! The reference cluster with real processes: an API server, two controllers and three speakers, each in a network
//! namespace with its real address, and a real router at 172.22.35.1 that listens on port 179.
//!
//! The tests run as root if `FERROLB_TEST_INTEROP=1` (`make interop`). The API server is always the one of
//! `testing/apiserver`, even if `FERROLB_TEST_KUBECONFIG` is set: a real one would not be in these namespaces.

mod bfd;
#[path = "../kubernetes/cluster.rs"]
mod cluster;
#[path = "../kubernetes/crowd.rs"]
mod crowd;
mod placement;
#[path = "../support/programs.rs"]
mod programs;
#[path = "../kubernetes/real.rs"]
mod real;
mod seccomp;
mod site;
mod story;
#[path = "../support/three_routers.rs"]
mod three_routers;
mod unnumbered;
mod upgrade;

use site::SiteConfig;
use test_peers::{Bird, Frr, WrittenBird, WrittenFrr, requested};

#[test]
fn bird_follows_changes_of_services_nodes_and_leaders() {
    if requested() {
        site::run::<Bird>(SiteConfig::default(), story::services_nodes_and_leaders);
    }
}

#[test]
fn three_birds_monitor_a_speaker_by_bfd() {
    if requested() {
        bfd::three_routers_are_watched::<WrittenBird>();
    }
}

#[test]
fn three_frrs_monitor_a_speaker_by_bfd() {
    if requested() {
        bfd::three_routers_are_watched::<WrittenFrr>();
    }
}

#[test]
fn a_speaker_finds_its_router_at_the_other_end_of_an_interface() {
    if requested() {
        unnumbered::discovered_reported_and_drained();
    }
}

#[test]
fn a_speaker_behind_masquerade_announces_the_address_of_its_node() {
    if requested() {
        placement::behind_masquerade();
    }
}

#[test]
fn md5_does_not_survive_masquerade() {
    if requested() {
        placement::no_md5_behind_masquerade();
    }
}

#[test]
fn a_speaker_in_a_routed_pod_network_has_md5_and_bfd() {
    if requested() {
        placement::with_routes_to_pods();
    }
}

#[test]
fn a_speaker_announces_through_the_bird_of_its_node() {
    if requested() {
        placement::through_the_bird_of_the_node();
    }
}

#[test]
fn a_speaker_beside_another_one_has_an_address_of_its_own() {
    if requested() {
        placement::from_a_second_address_of_the_node();
    }
}

#[test]
fn a_controller_and_a_speaker_work_under_the_seccomp_profile() {
    if requested() {
        seccomp::the_profile_is_sufficient();
    }
}

#[test]
fn frr_follows_changes_of_services_nodes_and_leaders() {
    if requested() {
        site::run::<Frr>(SiteConfig::default(), story::services_nodes_and_leaders);
    }
}

/// Speakers that exit for an upgrade, and routers that keep the routes until they are back.
fn graceful_restart() -> SiteConfig {
    SiteConfig {
        neighbor: |neighbor| neighbor.graceful_restart(120),
        peer: ", enable-graceful-restart: true",
        on_exit: "restart",
        ..SiteConfig::default()
    }
}

#[test]
fn upgrading_every_speaker_loses_no_route_at_bird() {
    if requested() {
        site::run::<Bird>(graceful_restart(), async |site: &mut _| {
            upgrade::logged_by_bird(site, upgrade::one_after_the_other).await;
        });
    }
}

#[test]
fn upgrading_every_speaker_loses_no_route_at_frr() {
    if requested() {
        site::run::<Frr>(graceful_restart(), upgrade::one_after_the_other);
    }
}

#[test]
fn a_speaker_killed_again_during_its_restart_loses_no_route_at_bird() {
    if requested() {
        site::run::<Bird>(graceful_restart(), async |site: &mut _| {
            upgrade::logged_by_bird(site, upgrade::killed_again_while_it_comes_back).await;
        });
    }
}

#[test]
fn a_speaker_killed_again_during_its_restart_loses_no_route_at_frr() {
    if requested() {
        site::run::<Frr>(graceful_restart(), upgrade::killed_again_while_it_comes_back);
    }
}

/// The same with BFD, whose detection time of three seconds avoids false alarms on a busy machine.
fn graceful_restart_and_bfd() -> SiteConfig {
    SiteConfig {
        neighbor: |neighbor| neighbor.graceful_restart(120).bfd_graceful(),
        peer: ", enable-graceful-restart: true, bfd-profile: slow",
        config: "bfd-profiles: [{name: slow, receive-interval: 1000, transmit-interval: 1000}]\n",
        bfd: true,
        ..graceful_restart()
    }
}

#[test]
fn with_bfd_upgrading_every_speaker_loses_no_route_at_bird() {
    if requested() {
        site::run::<Bird>(graceful_restart_and_bfd(), async |site: &mut _| {
            upgrade::logged_by_bird(site, upgrade::one_after_the_other).await;
        });
    }
}

#[test]
fn with_bfd_upgrading_every_speaker_loses_no_route_at_frr() {
    if requested() {
        site::run::<Frr>(graceful_restart_and_bfd(), upgrade::one_after_the_other);
    }
}

#[test]
fn bird_drops_stale_routes_when_a_session_ends_before_its_first_route() {
    if requested() {
        site::run::<Bird>(graceful_restart(), upgrade::cut_before_the_first_route);
    }
}

#[test]
fn frr_drops_stale_routes_when_a_session_ends_before_its_first_route() {
    if requested() {
        site::run::<Frr>(graceful_restart(), upgrade::cut_before_the_first_route);
    }
}

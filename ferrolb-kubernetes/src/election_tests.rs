use proptest::prelude::*;

use super::*;

/// An API server with one Lease, as far as it matters here.
#[derive(Default)]
struct Server {
    lease: Option<ObservedLease>,
    version: u64,
}

impl Server {
    fn response(&mut self, request: &Request, who: &str, config: ElectionConfig) -> Response {
        let holder = match (request, &self.lease) {
            (Request::Get, Some(lease)) => return Response::Lease(lease.clone()),
            (Request::Get, None) => return Response::NotFound,
            (Request::Create, Some(_)) => return Response::Conflict,
            (Request::Create, None) => who.to_owned(),
            (Request::Update { .. }, None) => return Response::NotFound,
            (Request::Update { version, holder, .. }, Some(lease)) if lease.version == *version => {
                holder.clone()
            }
            (Request::Update { .. }, Some(_)) => return Response::Conflict,
        };

        self.version += 1;
        let transitions = match request {
            Request::Update { transitions, .. } => *transitions,
            _ => 0,
        };
        let lease = ObservedLease {
            version: self.version.to_string(),
            holder,
            duration: config.lease_duration,
            transitions,
        };
        self.lease = Some(lease.clone());
        Response::Lease(lease)
    }
}

const TICK: Duration = Duration::from_millis(100);

fn step(server: &mut Server, candidate: &mut Election, now: Instant) {
    while let Some(request) = candidate.poll_request(now) {
        let who = candidate.identity.clone();
        let response = server.response(&request, &who, candidate.config);
        candidate.handle_response(now, response);
    }
}

fn candidate(name: &str) -> Election {
    Election::new(name, ElectionConfig::default())
}

#[test]
fn the_first_candidate_leads_at_once_and_stays_leader() {
    let (mut server, mut a) = (Server::default(), candidate("a"));
    let start = Instant::now();
    for tick in 0..600 {
        let now = start + TICK * tick;
        step(&mut server, &mut a, now);
        assert!(a.is_leader(now), "after {tick} ticks");
    }
    // Renewed every two seconds, not more often.
    assert_eq!(server.version, 30);
}

#[test]
fn the_next_one_takes_over_within_the_lease_time_and_never_before_the_deadline() {
    let (mut server, mut a, mut b) = (Server::default(), candidate("a"), candidate("b"));
    let start = Instant::now();
    step(&mut server, &mut a, start);
    let mut taken = None;
    for tick in 1..300 {
        let now = start + TICK * tick;
        step(&mut server, &mut b, now);
        // `a` dies after its first request.
        if b.is_leader(now) && taken.is_none() {
            taken = Some(now - start);
            assert!(!a.is_leader(now));
        }
    }
    let taken = taken.expect("b takes over");
    assert!(taken >= Duration::from_secs(15), "{taken:?}");
    assert!(taken <= Duration::from_secs(18), "{taken:?}");
    assert_eq!(server.lease.unwrap().transitions, 1);
}

#[test]
fn a_leader_without_an_api_server_stops_by_its_own_clock() {
    let (mut server, mut a) = (Server::default(), candidate("a"));
    let start = Instant::now();
    step(&mut server, &mut a, start);
    let mut now = start;
    for _ in 0..99 {
        now += TICK;
        if a.poll_request(now).is_some() {
            a.handle_response(now, Response::Unreachable);
        }
        assert!(a.is_leader(now), "after {:?}", now - start);
    }
    assert_eq!(a.poll_timeout(), Some(start + Duration::from_secs(10)));
    assert!(!a.is_leader(start + Duration::from_secs(10)));
}

#[test]
fn a_leader_that_resigns_is_followed_at_once() {
    let (mut server, mut a, mut b) = (Server::default(), candidate("a"), candidate("b"));
    let start = Instant::now();
    step(&mut server, &mut a, start);
    step(&mut server, &mut b, start);
    assert!(!b.is_leader(start));
    a.resign();
    step(&mut server, &mut a, start);
    assert!(a.is_over() && !a.is_leader(start));
    let now = start + Duration::from_secs(2);
    step(&mut server, &mut b, now);
    assert!(b.is_leader(now));
    assert_eq!(b.leader(), Some("b"));
}

#[test]
fn a_candidate_is_done_when_it_has_resigned_and_no_longer_leads() {
    let (mut server, mut a, mut b) = (Server::default(), candidate("a"), candidate("b"));
    let start = Instant::now();
    assert!(!a.is_over(), "it has not resigned");
    step(&mut server, &mut a, start);
    step(&mut server, &mut b, start);
    assert!(!a.is_over() && !b.is_over());

    // A leader has to release the Lease first; another candidate has nothing to release.
    a.resign();
    b.resign();
    assert!(!a.is_over() && b.is_over());
    step(&mut server, &mut a, start);
    assert!(a.is_over());
    assert_eq!(server.lease.unwrap().holder, "");
}

#[test]
fn a_leader_that_resigns_during_a_request_reads_the_lease_before_it_releases_it() {
    let (mut server, mut a) = (Server::default(), candidate("a"));
    let start = Instant::now();
    step(&mut server, &mut a, start);

    // The Lease may have changed by the request whose response is lost.
    let now = start + Duration::from_secs(2);
    let renewal = a.poll_request(now).expect("a renewal");
    server.response(&renewal, "a", ElectionConfig::default());
    a.resign();
    assert_eq!(a.poll_request(now), Some(Request::Get));
    let response = server.response(&Request::Get, "a", ElectionConfig::default());
    a.handle_response(now, response);
    step(&mut server, &mut a, now + Duration::from_secs(2));
    assert!(a.is_over());
    assert_eq!(server.lease.unwrap().holder, "", "released at the version that was read");

    // Without a request under way the Lease is known.
    let (mut server, mut a) = (Server::default(), candidate("a"));
    step(&mut server, &mut a, start);
    a.resign();
    assert!(matches!(a.poll_request(start), Some(Request::Update { .. })));
}

#[test]
fn a_leader_that_finds_another_holder_leads_no_longer() {
    let (mut server, mut a) = (Server::default(), candidate("a"));
    let start = Instant::now();
    step(&mut server, &mut a, start);

    // Another candidate has taken the Lease in the meantime.
    let lease = server.lease.as_mut().expect("a Lease");
    (lease.holder, lease.version) = ("b".to_owned(), "7".to_owned());
    let now = start + Duration::from_secs(2);
    step(&mut server, &mut a, now);
    assert!(!a.is_leader(now));
    assert_eq!(a.leader(), Some("b"));
}

#[test]
fn a_leader_reads_the_lease_after_a_write_without_a_response_and_renews_it_in_time() {
    let (mut server, mut a) = (Server::default(), candidate("a"));
    let start = Instant::now();
    step(&mut server, &mut a, start);

    let now = start + Duration::from_secs(2);
    let renewal = a.poll_request(now);
    assert!(matches!(renewal, Some(Request::Update { acquires: false, transitions: 0, .. })));
    a.handle_response(now, Response::Unreachable);
    assert_eq!(a.poll_request(now), None, "the retry period has not passed");

    let now = now + Duration::from_secs(2);
    assert_eq!(a.poll_request(now), Some(Request::Get));
    let response = server.response(&Request::Get, "a", ElectionConfig::default());
    a.handle_response(now, response);
    assert_eq!(a.poll_request(now), None, "a leader does not hurry");
    let now = now + Duration::from_secs(2);
    assert!(matches!(a.poll_request(now), Some(Request::Update { .. })) && a.is_leader(now));

    // Another candidate says that the Lease changes hands.
    let mut b = candidate("b");
    server.lease.as_mut().expect("a Lease").holder.clear();
    assert_eq!(b.poll_request(now), Some(Request::Get));
    let response = server.response(&Request::Get, "b", ElectionConfig::default());
    b.handle_response(now, response);
    let taking = b.poll_request(now);
    assert!(matches!(taking, Some(Request::Update { acquires: true, transitions: 1, .. })));
}

#[test]
fn a_lease_with_our_identity_is_ours_again_after_a_restart() {
    let mut server = Server::default();
    let start = Instant::now();
    step(&mut server, &mut candidate("a"), start);
    let mut again = candidate("a");
    step(&mut server, &mut again, start);
    assert!(again.is_leader(start));
    assert_eq!(server.lease.unwrap().transitions, 0);
}

#[test]
fn a_deleted_lease_is_created_again() {
    let (mut server, mut a) = (Server::default(), candidate("a"));
    let start = Instant::now();
    step(&mut server, &mut a, start);
    server.lease = None;
    let now = start + Duration::from_secs(2);
    step(&mut server, &mut a, now);
    assert!(a.is_leader(now) && server.lease.is_some());
}

proptest! {
    /// Requests and responses are lost or late, and candidates stop for a while.
    #[test]
    fn there_is_never_a_second_leader(faults in proptest::collection::vec(0_u8..100, 900)) {
        let mut server = Server::default();
        let mut candidates = [candidate("a"), candidate("b"), candidate("c")];
        let mut late: [Option<(u32, Response)>; 3] = [None, None, None];
        let mut asleep = [0_u32; 3];
        let start = Instant::now();
        let mut led = false;

        for (tick, fault) in (0_u32..).zip(faults) {
            let now = start + TICK * tick * 2;
            for (index, candidate) in candidates.iter_mut().enumerate() {
                if asleep[index] > tick {
                    continue;
                }
                if usize::from(fault) % 31 == index {
                    asleep[index] = tick + u32::from(fault);
                    continue;
                }

                if let Some((due, response)) = late[index].take() {
                    if due <= tick {
                        candidate.handle_response(now, response);
                    } else {
                        late[index] = Some((due, response));
                    }
                }
                if late[index].is_none()
                    && let Some(request) = candidate.poll_request(now)
                {
                    let who = candidate.identity.clone();
                    let response = match fault {
                        0..=9 => Response::Unreachable,
                        // Carried out, but the response is lost.
                        10..=19 => {
                            let _ = server.response(&request, &who, candidate.config);
                            Response::Unreachable
                        }
                        _ => server.response(&request, &who, candidate.config),
                    };
                    late[index] = Some((tick + u32::from(fault % 7), response));
                }
            }

            let leaders = candidates.iter().filter(|it| it.is_leader(now)).count();
            led |= leaders == 1;
            prop_assert!(leaders <= 1, "{leaders} leaders at {:?}", now - start);
        }
        prop_assert!(led);
    }
}

//! The holders of addresses, compared with a plain list, and their memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use crate::allocator::entry::ServiceEntry;
use crate::allocator::sharing::{ConflictReason, Holders, SharingConflict, SharingTerms};

use super::*;

/// The Services that share one address, or the one that holds it alone.
type List = BTreeMap<ServiceKey, Service>;

/// The expected result of [`Holders::accept`].
fn expected(list: &List, request: &Service) -> Result<(), SharingConflict> {
    let sharing = |service: &Service| {
        let name = service.annotations.get("metallb.io/allow-shared-ip").map(str::to_owned);
        name.map(|name| (name, service.selector.clone()))
    };
    let Some(first) = list.values().next() else { return Ok(()) };
    let in_use =
        |holder: &Service, reason| Err(SharingConflict { holder: holder.key.clone(), reason });
    match (sharing(request), sharing(first)) {
        (Some((name, _)), Some((key, _))) if name != key => {
            return in_use(first, ConflictReason::OtherKey { key });
        }
        (Some((_, pods)), Some((_, others))) if pods != others => {
            return in_use(first, ConflictReason::OtherBackend);
        }
        (Some(_), Some(_)) => {}
        _ => return in_use(first, ConflictReason::NoKey),
    }
    let mut ports = request.ports.clone();
    ports.sort();
    let holder = |port| list.values().find(|it| it.ports.contains(port));
    match ports.iter().find_map(|port| Some((port, holder(port)?))) {
        Some((port, holder)) => in_use(holder, ConflictReason::SamePort(*port)),
        None => Ok(()),
    }
}

fn any_request() -> impl Strategy<Value = Service> {
    let name = prop::sample::select(vec!["p", "q", "r", "s", "t"]);
    let shares = prop::option::weighted(0.9, prop::sample::select(vec!["k", "k", "k", "l"]));
    let pods = prop::sample::select(vec!["web", "web", "web", "mail"]);
    (name, shares, pods, prop::collection::vec(80_u16..86, 0..3)).prop_map(
        |(name, shares, pods, ports)| {
            let request = service(name).local(&[("app", pods)]);
            let request = shares.into_iter().fold(request, TestService::shares);
            ports.into_iter().fold(request, TestService::tcp).0
        },
    )
}

proptest! {
    #[test]
    fn holders_behave_like_a_list(
        steps in prop::collection::vec((any::<bool>(), any_request()), 0..60),
    ) {
        let (mut list, mut holders) = (List::new(), None::<Holders>);
        for (comes, request) in steps {
            let (key, terms) = (request.key.clone(), Arc::new(SharingTerms::of(&request)));
            let found = holders.as_ref().map_or(Ok(()), |it| it.accept(&terms));
            prop_assert_eq!(&found, &expected(&list, &request));
            if comes && found.is_ok() && !list.contains_key(&key) {
                match &mut holders {
                    Some(holders) => holders.add(&key, &terms),
                    None => holders = Some(Holders::one(&key, &terms)),
                }
                list.insert(key, request);
            } else if !comes {
                let stays = holders.as_mut().is_some_and(|it| it.remove(&key));
                list.remove(&key);
                prop_assert_eq!(stays, !list.is_empty());
                holders = holders.filter(|_| stays);
            }
            if let Some(holders) = &mut holders {
                for (key, request) in &list {
                    let terms = SharingTerms::of(request);
                    prop_assert_eq!(holders.terms_of(key).map(|it| &**it), Some(&terms));
                    // Adding a present holder again changes nothing.
                    holders.add(key, &Arc::new(terms));
                }
                for number in 80..86 {
                    let port = port(TransportProtocol::Tcp, number);
                    let used = list.values().any(|request| request.ports.contains(&port));
                    prop_assert_eq!(holders.uses_port(port), used);
                }
                prop_assert_eq!(matches!(holders, Holders::One(_)), list.len() == 1);
            }
        }
    }
}

#[test]
fn services_with_equal_requests_share_memory() {
    const WORD: usize = size_of::<usize>();
    assert_eq!(size_of::<Holders>(), 2 * WORD);
    assert!(size_of::<ServiceEntry>() <= 16 + 7 * WORD, "{}", size_of::<ServiceEntry>());
    let mut allocator = Allocator::new();
    allocator.reconcile::<&Service>(
        &[pool("default", &["10.0.0.0/24"])],
        [],
        &HeldAddresses::new(),
    );
    for request in [service("a").tcp(80), service("b").tcp(80), service("c").tcp(81)] {
        allocator.upsert(&request.0, &[]);
    }
    let same = |a: &str, b: &str| {
        Arc::ptr_eq(&allocator.entries[&key(a)].request, &allocator.entries[&key(b)].request)
    };
    assert!(same("a", "b"));
    assert!(!same("a", "c"));
}

#[test]
fn an_observer_follows_the_statuses_and_gives_no_address_out() {
    let pools = [pool("default", &["10.0.0.0/31"])];
    let mut allocator = Allocator::new().observing();
    let held = HeldAddresses::from([(key("a"), vec![ip("10.0.0.0")])]);
    let services = ["a", "b"].map(|name| service(name).tcp(80).0);
    let outcome = allocator.reconcile(&pools, &services, &held);
    assert_eq!(outcome.of("a"), "10.0.0.0");
    assert!(allocator.assignment(&key("b")).is_none());
    let changes = allocator.upsert(&services[1], &[ip("10.0.0.0")]);
    assert!(allocator.assignment(&key("b")).is_none(), "the address is in use by a");
    assert_eq!(changes.events[0].reason, EventReason::ClearAssignment);
    allocator.upsert(&services[1], &[]);
    allocator.remove(&key("a"));
    assert!(allocator.assignment(&key("b")).is_none(), "the address is not given to b");
    assert!(allocator.waiting.all().is_empty());
    allocator.upsert(&services[1], &[ip("10.0.0.0")]);
    assert_eq!(*allocator.assignment(&key("b")).unwrap().addresses, [ip("10.0.0.0")]);
}

/// The controller moves the address of a to b in one step, and the status of b arrives first.
#[test]
fn an_observer_gets_the_same_result_from_statuses_in_any_order() {
    let (first, second) = (ip("10.0.0.0"), ip("10.0.0.1"));
    let pools = [pool("default", &["10.0.0.0/31"])];
    let [a, b, c] = ["a", "b", "c"].map(|name| service(name).tcp(80).0);
    let started = |a_held: &[IpAddr], b_held: &[IpAddr]| {
        let mut allocator = Allocator::new().observing();
        let held = HeldAddresses::from([(key("a"), a_held.to_vec()), (key("b"), b_held.to_vec())]);
        allocator.reconcile(&pools, [&a, &b, &c], &held);
        allocator
    };
    let has = |allocator: &Allocator, name: &str| {
        allocator.assignment(&key(name)).map(|it| it.addresses.to_vec()).unwrap_or_default()
    };
    // The conflicting status arrives later, or exists from the start.
    let mut later = started(&[first], &[]);
    later.upsert(&b, &[first]);
    for mut allocator in [later, started(&[first], &[first])] {
        assert!(has(&allocator, "b").is_empty());
        let changes = allocator.upsert(&a, &[first]);
        assert!(changes.events.is_empty(), "nothing has become free: {changes:?}");
        let changes = allocator.upsert(&a, &[second]);
        assert_eq!((has(&allocator, "a"), has(&allocator, "b")), (vec![second], vec![first]));
        assert!(changes.services.contains(&key("b")), "{changes:?}");
    }
    // Of several displaced Services the first gets the address, and the next one when that is removed.
    let mut allocator = started(&[first], &[first]);
    allocator.upsert(&c, &[first]);
    allocator.remove(&key("a"));
    assert_eq!((has(&allocator, "b"), has(&allocator, "c")), (vec![first], vec![]));
    allocator.remove(&key("b"));
    assert_eq!(has(&allocator, "c"), [first]);
    // A Service whose status no longer lists the address does not get it.
    let mut allocator = started(&[first], &[first]);
    allocator.upsert(&b, &[]);
    allocator.remove(&key("a"));
    assert!(has(&allocator, "b").is_empty());
}

/// A speaker gives the reason why it does not announce an address that the status has.
#[test]
fn an_observer_says_why_it_does_not_follow_a_status() {
    let mut allocator = Allocator::new().observing();
    let held = HeldAddresses::from([(key("a"), vec![ip("192.0.2.1")])]);
    let services = ["a", "b"].map(|name| service(name).tcp(80).0);
    allocator.reconcile(&[pool("default", &["10.0.0.0/31"])], &services, &held);
    let why =
        |allocator: &Allocator, name: &str| allocator.refusal(&key(name)).map(|it| it.to_string());
    assert_eq!(why(&allocator, "a").as_deref(), Some("192.0.2.1 is in no pool"));

    allocator.upsert(&services[0], &[ip("10.0.0.1")]);
    assert_eq!(why(&allocator, "a"), None);
    allocator.upsert(&services[1], &[ip("10.0.0.1")]);
    let in_use = why(&allocator, "b").unwrap();
    assert!(in_use.starts_with("10.0.0.1 is in use by default/a"), "{in_use}");
}

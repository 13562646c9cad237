//! Who holds an address, against a list that is looked through; and what that takes of memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use crate::allocator::entry::ServiceEntry;
use crate::allocator::sharing::{ConflictReason, Holders, SharingConflict, SharingTerms};

use super::*;

/// Services that share one address, or one that does not share.
type List = BTreeMap<ServiceKey, Service>;

/// What [`Holders::accept`] says.
fn accepted(list: &List, asks: &Service) -> Result<(), SharingConflict> {
    let sharing = |service: &Service| {
        let name = service.annotations.get("metallb.io/allow-shared-ip").map(str::to_owned);
        name.map(|name| (name, service.selector.clone()))
    };
    let Some(first) = list.values().next() else { return Ok(()) };
    let in_use =
        |holder: &Service, reason| Err(SharingConflict { holder: holder.key.clone(), reason });
    match (sharing(asks), sharing(first)) {
        (Some((name, _)), Some((key, _))) if name != key => {
            return in_use(first, ConflictReason::OtherKey { key });
        }
        (Some((_, pods)), Some((_, others))) if pods != others => {
            return in_use(first, ConflictReason::OtherBackend);
        }
        (Some(_), Some(_)) => {}
        _ => return in_use(first, ConflictReason::NoKey),
    }
    let mut ports = asks.ports.clone();
    ports.sort();
    let holder = |port| list.values().find(|it| it.ports.contains(port));
    match ports.iter().find_map(|port| Some((port, holder(port)?))) {
        Some((port, holder)) => in_use(holder, ConflictReason::SamePort(*port)),
        None => Ok(()),
    }
}

fn asks() -> impl Strategy<Value = Service> {
    let name = prop::sample::select(vec!["p", "q", "r", "s", "t"]);
    let shares = prop::option::weighted(0.9, prop::sample::select(vec!["k", "k", "k", "l"]));
    let pods = prop::sample::select(vec!["web", "web", "web", "mail"]);
    (name, shares, pods, prop::collection::vec(80_u16..86, 0..3)).prop_map(
        |(name, shares, pods, ports)| {
            let asks = service(name).local(&[("app", pods)]);
            let asks = shares.into_iter().fold(asks, Asks::shares);
            ports.into_iter().fold(asks, Asks::tcp).0
        },
    )
}

proptest! {
    #[test]
    fn holders_come_and_go_as_in_a_list(
        steps in prop::collection::vec((any::<bool>(), asks()), 0..60),
    ) {
        let (mut list, mut holders) = (List::new(), None::<Holders>);
        for (comes, asks) in steps {
            let (key, terms) = (asks.key.clone(), Arc::new(SharingTerms::of(&asks)));
            let found = holders.as_ref().map_or(Ok(()), |it| it.accept(&terms));
            prop_assert_eq!(&found, &accepted(&list, &asks));
            if comes && found.is_ok() && !list.contains_key(&key) {
                match &mut holders {
                    Some(holders) => holders.add(&key, &terms),
                    None => holders = Some(Holders::one(&key, &terms)),
                }
                list.insert(key, asks);
            } else if !comes {
                let stays = holders.as_mut().is_some_and(|it| it.remove(&key));
                list.remove(&key);
                prop_assert_eq!(stays, !list.is_empty());
                holders = holders.filter(|_| stays);
            }
            if let Some(holders) = &mut holders {
                for (key, asks) in &list {
                    let terms = SharingTerms::of(asks);
                    prop_assert_eq!(holders.terms_of(key).map(|it| &**it), Some(&terms));
                    // Who is there already changes nothing by coming again.
                    holders.add(key, &Arc::new(terms));
                }
                for number in 80..86 {
                    let port = port(TransportProtocol::Tcp, number);
                    let used = list.values().any(|asks| asks.ports.contains(&port));
                    prop_assert_eq!(holders.uses_port(port), used);
                }
                prop_assert_eq!(matches!(holders, Holders::One(_)), list.len() == 1);
            }
        }
    }
}

#[test]
fn a_service_that_asks_for_what_others_do_adds_little() {
    const WORD: usize = size_of::<usize>();
    assert_eq!(size_of::<Holders>(), 2 * WORD);
    assert!(size_of::<ServiceEntry>() <= 16 + 7 * WORD, "{}", size_of::<ServiceEntry>());
    let mut allocator = Allocator::new();
    allocator.reconcile::<&Service>(
        &[pool("default", &["10.0.0.0/24"])],
        [],
        &HeldAddresses::new(),
    );
    for asks in [service("a").tcp(80), service("b").tcp(80), service("c").tcp(81)] {
        allocator.upsert(&asks.0, &[]);
    }
    let same = |a: &str, b: &str| {
        Arc::ptr_eq(&allocator.entries[&key(a)].request, &allocator.entries[&key(b)].request)
    };
    assert!(same("a", "b"));
    assert!(!same("a", "c"));
}

#[test]
fn who_gives_nothing_out_says_what_is_held_and_keeps_nobody_waiting() {
    let pools = [pool("default", &["10.0.0.0/31"])];
    let mut allocator = Allocator::new().observing();
    let held = HeldAddresses::from([(key("a"), vec![ip("10.0.0.0")])]);
    let services = ["a", "b"].map(|name| service(name).tcp(80).0);
    let outcome = allocator.reconcile(&pools, &services, &held);
    assert_eq!(outcome.of("a"), "10.0.0.0");
    assert!(allocator.assignment(&key("b")).is_none());
    let changes = allocator.upsert(&services[1], &[ip("10.0.0.0")]);
    assert!(allocator.assignment(&key("b")).is_none(), "it is in use by a");
    assert_eq!(changes.events[0].reason, EventReason::ClearAssignment);
    allocator.upsert(&services[1], &[]);
    allocator.remove(&key("a"));
    assert!(allocator.assignment(&key("b")).is_none(), "and is not given to b");
    assert!(allocator.waiting.all().is_empty());
    allocator.upsert(&services[1], &[ip("10.0.0.0")]);
    assert_eq!(*allocator.assignment(&key("b")).unwrap().addresses, [ip("10.0.0.0")]);
}

/// Whoever gives addresses out gives a's to b and takes a back in one step; the status of b comes first.
#[test]
fn who_follows_sees_statuses_in_any_order_and_comes_to_the_same() {
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
    // Told after both hold something, or known from the start.
    let mut told = started(&[first], &[]);
    told.upsert(&b, &[first]);
    for mut allocator in [told, started(&[first], &[first])] {
        assert!(has(&allocator, "b").is_empty());
        let changes = allocator.upsert(&a, &[second]);
        assert_eq!((has(&allocator, "a"), has(&allocator, "b")), (vec![second], vec![first]));
        assert!(changes.services.contains(&key("b")), "{changes:?}");
    }
    // Of several it is the first; and the next one when that has gone.
    let mut allocator = started(&[first], &[first]);
    allocator.upsert(&c, &[first]);
    allocator.remove(&key("a"));
    assert_eq!((has(&allocator, "b"), has(&allocator, "c")), (vec![first], vec![]));
    allocator.remove(&key("b"));
    assert_eq!(has(&allocator, "c"), [first]);
    // One that no longer says so is not given it.
    let mut allocator = started(&[first], &[first]);
    allocator.upsert(&b, &[]);
    allocator.remove(&key("a"));
    assert!(has(&allocator, "b").is_empty());
}

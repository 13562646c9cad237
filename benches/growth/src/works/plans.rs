//! The plans of nodes: the first ones, and those after one change.

use std::sync::Arc;

use bench_growth::clusters::ClusterSize;
use lb_adapter::engine::{Change, Engine};
use lb_adapter::model::{ExternalTrafficPolicy, Namespace, Pool, ServicePort, TransportProtocol};
use lb_adapter::planner::PlannerOptions;

use super::{Prepared, TIMES, Work, scattered};

/// The numbers of Services.
const SERVICES: [usize; 3] = [100, 1_000, 10_000];
/// The numbers of nodes, peers, pools or endpoints among which a change is made.
const OTHERS: [usize; 3] = [10, 100, 1_000];
/// The numbers of endpoints of one Service.
const ENDPOINTS: [usize; 3] = [100, 1_000, 10_000];

pub(super) const WORKS: &[Work] = &[
    Work::all("plan all", "Services", SERVICES, |services| {
        first(ClusterSize { services, nodes: 4, ..ClusterSize::default() })
    })
    .checked(100),
    Work::all("plan all, on more nodes", "nodes", OTHERS, |nodes| {
        first(ClusterSize { nodes, ..ClusterSize::default() })
    }),
    Work::all("plan all, for more peers", "peers", OTHERS, |peers| {
        first(ClusterSize { peers, ..ClusterSize::default() })
    }),
    Work::all("plan all, of more endpoints", "endpoints", OTHERS, |endpoints| {
        first(ClusterSize { endpoints, nodes: 4, ..ClusterSize::default() })
    }),
    Work::all("plan all, each in a pool of its own", "Services", SERVICES, |services| {
        first(ClusterSize { services, pools: services, ..ClusterSize::default() })
    })
    .checked(1_000),
    Work::one("one Service changes", "Services", SERVICES, |services| {
        service(ClusterSize { services, ..ClusterSize::default() })
    })
    .checked(100),
    Work::one("one Service changes, among pools", "pools", OTHERS, |pools| {
        service(ClusterSize { services: 1_000, pools, ..ClusterSize::default() })
    }),
    Work::all("one Service changes on all nodes", "nodes", OTHERS, |nodes| {
        service(ClusterSize { nodes, ..ClusterSize::default() })
    }),
    Work::one("one Service comes and goes", "Services", SERVICES, comes_and_goes),
    Work::one("one endpoint changes", "Services", SERVICES, |services| {
        endpoint(ClusterSize { services, ..ClusterSize::default() })
    })
    .checked(100),
    Work::all("one endpoint changes, on all nodes", "nodes", OTHERS, |nodes| {
        endpoint(ClusterSize { nodes, ..ClusterSize::default() })
    }),
    Work::all("one endpoint changes, of one on every other node", "nodes", OTHERS, |nodes| {
        endpoint(ClusterSize { nodes, endpoints: nodes / 2, services: 4, ..ClusterSize::default() })
    }),
    Work::all("one endpoint of a Service changes", "endpoints", ENDPOINTS, |endpoints| {
        endpoint(ClusterSize { nodes: 10, endpoints, services: 4, ..ClusterSize::default() })
    }),
    Work::one(
        "one slice of a Service is reported again, unchanged",
        "endpoints",
        ENDPOINTS,
        |size| {
            same_slice(ClusterSize {
                nodes: 10,
                endpoints: size,
                services: 4,
                ..ClusterSize::default()
            })
        },
    ),
    Work::all("the slices of one Service are read", "endpoints", ENDPOINTS, slices),
    Work::all("one node changes, with all its Services", "Services", SERVICES, |services| {
        node(ClusterSize { services, ..ClusterSize::default() }, true)
    }),
    Work::one("one node changes", "nodes", OTHERS, |nodes| {
        node(ClusterSize { nodes, ..ClusterSize::default() }, true)
    }),
    Work::one("one node is reported again, unchanged", "Services", SERVICES, |services| {
        node(ClusterSize { services, ..ClusterSize::default() }, false)
    }),
    Work::one("one namespace changes", "Services", SERVICES, namespace),
    Work::all("the configuration changes", "Services", SERVICES, |services| {
        configuration(ClusterSize { services, ..ClusterSize::default() })
    }),
    Work::all("the configuration changes, with pools", "pools", OTHERS, |pools| {
        configuration(ClusterSize { pools, services: 100, ..ClusterSize::default() })
    }),
    Work::all("other pools, in a process that follows statuses", "pools", SERVICES, other_pools),
];

/// The addresses and plans of all Services, from the objects.
fn first(size: ClusterSize) -> Prepared {
    let mut engine = size.unplanned();
    Prepared::once(move || {
        engine.apply(Change::Synced);
        assert!(has_routes(&engine, size.services));
        engine
    })
}

fn has_routes(engine: &Engine, services: usize) -> bool {
    engine.plans().any(|plan| plan.services().count() * 2 >= services)
}

/// Each change gives a Service the other policy.
fn service(size: ClusterSize) -> Prepared {
    let mut engine = size.planned();
    Prepared::repeated(TIMES, move |turn| {
        let mut service = size.service(scattered(turn * 977, size.services));
        service.external_traffic_policy = match service.external_traffic_policy {
            ExternalTrafficPolicy::Local => ExternalTrafficPolicy::Cluster,
            ExternalTrafficPolicy::Cluster => ExternalTrafficPolicy::Local,
        };
        engine.apply(Change::Service { service: Box::new(service), status: None });
    })
}

fn comes_and_goes(services: usize) -> Prepared {
    let size = ClusterSize { services, ..ClusterSize::default() };
    let mut engine = size.planned();
    Prepared::repeated(TIMES, move |turn| {
        let mut service = size.service(services + turn);
        service.ports.push(ServicePort { protocol: TransportProtocol::Udp, port: 53 });
        let key = service.key.clone();
        for slice in size.slices(services + turn) {
            engine.apply(Change::Slice(slice));
        }
        engine.apply(Change::Service { service: Box::new(service), status: None });
        engine.apply(Change::ServiceGone(key));
    })
}

/// The first endpoint of a Service is no longer ready, and then is again.
fn endpoint(size: ClusterSize) -> Prepared {
    let mut engine = size.planned();
    // With policy Local.
    let ready = size.slices(1).remove(0);
    let mut unready = ready.clone();
    unready.endpoints[0].ready = Some(false);
    Prepared::repeated(10, move |turn| {
        let slice = if turn % 2 == 0 { unready.clone() } else { ready.clone() };
        engine.apply(Change::Slice(slice));
    })
}

/// A slice comes again as it was, as after a new list of all slices.
fn same_slice(size: ClusterSize) -> Prepared {
    let mut engine = size.planned();
    let slice = size.slices(1).remove(0);
    Prepared::repeated(10, move |_| {
        engine.apply(Change::Slice(slice.clone()));
    })
}

/// All slices of a Service, one after the other, before the lists of objects are complete.
fn slices(endpoints: usize) -> Prepared {
    let mut engine = ClusterSize { nodes: 10, ..ClusterSize::default() }.unplanned();
    let slices = ClusterSize { nodes: 10, endpoints, ..ClusterSize::default() }.slices(1);
    Prepared::once(move || {
        for slice in slices {
            engine.apply(Change::Slice(slice));
        }
        engine
    })
}

/// A node gets a label and loses it again, or is only reported.
fn node(size: ClusterSize, changes: bool) -> Prepared {
    let mut engine = size.planned();
    Prepared::repeated(2, move |turn| {
        let mut node = size.node(0);
        if changes && turn == 0 {
            node.labels.insert("rack", "7");
        }
        engine.apply(Change::Node(node));
    })
}

fn namespace(services: usize) -> Prepared {
    let mut engine = ClusterSize { services, ..ClusterSize::default() }.planned();
    for number in 0..services {
        engine.apply(Change::Namespace(Namespace::new(format!("namespace-{number}"))));
    }
    Prepared::repeated(10, move |turn| {
        let mut namespace = Namespace::new("namespace-7");
        namespace.labels.insert("turn", turn.to_string());
        engine.apply(Change::Namespace(namespace));
    })
}

fn configuration(size: ClusterSize) -> Prepared {
    let mut engine = size.planned();
    let mut config = size.config();
    config.peers.pop();
    let config = Arc::new(config);
    Prepared::once(move || {
        engine.apply(Change::Config(config));
        engine
    })
}

/// A process that does not assign addresses gets as many pools with other names and addresses.
fn other_pools(pools: usize) -> Prepared {
    let options = PlannerOptions { follow_status: true, ..PlannerOptions::default() };
    let mut engine = Engine::new(options, None);
    let config = ClusterSize { pools, ..ClusterSize::default() }.config();
    let mut others = config.clone();
    for (number, pool) in others.pools.iter_mut().enumerate() {
        let range = format!("11.{}.{}.0/24", number / 256, number % 256);
        let range = range.parse().unwrap_or_else(|_| panic!("expected a range, found {range}"));
        *pool = Pool::new(format!("other-{number}"), vec![range]);
    }

    engine.apply(Change::Config(Arc::new(config)));
    engine.apply(Change::Synced);
    let others = Arc::new(others);
    Prepared::once(move || {
        engine.apply(Change::Config(others));
        engine
    })
}

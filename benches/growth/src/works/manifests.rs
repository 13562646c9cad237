//! The reading of manifests.

use std::fmt::Write;

use lb_adapter::allocator::EventReason;
use lb_adapter::engine::Engine;
use lb_adapter::manifest::{Options, Source, examine, parse};
use lb_adapter::planner::PlannerOptions;

use super::{Prepared, Work};

/// The numbers of objects.
const OBJECTS: [usize; 3] = [100, 1_000, 10_000];

pub(super) const WORKS: &[Work] = &[
    Work::all("read Services and their slices", "Services", OBJECTS, |size| {
        read(repeated(size, services))
    })
    .checked(100),
    Work::all("read pools, advertisements and peers", "of each", [100, 1_000, 4_000], |size| {
        read(repeated(size, resources))
    })
    .checked(100),
    Work::all("check pools, advertisements and peers", "of each", [100, 1_000, 4_000], |size| {
        check(repeated(size, resources))
    }),
    Work::all("check Services and their slices", "Services", OBJECTS, |size| {
        check(repeated(size, services))
    }),
    Work::all("load files again, whose statuses are refused", "Services", OBJECTS, reloaded),
    Work::all("read a ConfigMap of pools", "pools", OBJECTS, |size| read(config_map(size))),
];

fn read(text: String) -> Prepared {
    let sources = [source(text)];
    Prepared::once(move || {
        let read = parse("files", &sources);
        assert!(read.is_ok(), "{read:?}");
        read
    })
}

/// The addresses in the statuses of the files are in no pool, which is reported for the first load only.
fn reloaded(size: usize) -> Prepared {
    let sources = [source(repeated(size, services_with_statuses))];
    let load = move |engine: &mut Engine| {
        let manifests = parse("files", &sources).unwrap_or_else(|error| panic!("{error:?}"));
        engine.load(manifests).events
    };
    let mut engine = Engine::new(PlannerOptions::default(), None);
    let events = load(&mut engine);
    let cleared = events.iter().filter(|event| event.reason == EventReason::ClearAssignment);
    assert_eq!(cleared.count(), size);
    Prepared::once(move || {
        let events = load(&mut engine);
        assert!(events.iter().all(|event| event.reason != EventReason::ClearAssignment));
        engine
    })
}

fn check(text: String) -> Prepared {
    let sources = [source(text)];
    let options = Options { lenient: true, ..Options::default() };
    Prepared::once(move || {
        let found = examine(&options, "files", &sources, Vec::new());
        assert!(found.manifests.is_some(), "{:?}", found.problems);
        found
    })
}

fn source(text: String) -> Source {
    Source { name: "file.yaml".to_owned(), octets: text.into_bytes() }
}

/// A configuration with one pool and one peer, and the objects of each number.
fn repeated(size: usize, write: fn(&mut String, usize)) -> String {
    let mut text = CONFIGURATION.to_owned();
    for number in 0..size {
        write(&mut text, number);
    }
    text
}

fn services(text: &mut String, number: usize) {
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: service-{number}\n  namespace: shop\nspec:\n  type: LoadBalancer\n  selector: {{app: app-{number}}}\n  ports:\n  - port: 443\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: service-{number}-abcde\n  namespace: shop\n  labels: {{kubernetes.io/service-name: service-{number}}}\naddressType: IPv4\nendpoints:\n- addresses: [10.244.0.7]\n  nodeName: kube0\n  conditions: {{ready: true}}\n"
    );
}

fn services_with_statuses(text: &mut String, number: usize) {
    let _ = write!(
        text,
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: service-{number}, namespace: shop}}\nspec: {{type: LoadBalancer, selector: {{app: web}}, ports: [{{port: 443}}]}}\nstatus: {{loadBalancer: {{ingress: [{{ip: 198.51.{}.{}}}]}}}}\n",
        number / 256,
        number % 256
    );
}

fn resources(text: &mut String, number: usize) {
    let (b, c) = (number / 256, number % 256);
    let _ = write!(
        text,
        "---\napiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {{name: pool-{number}, namespace: metallb-system}}\nspec: {{addresses: [10.{b}.{c}.0/24]}}\n---\napiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {{name: advertisement-{number}, namespace: metallb-system}}\nspec: {{ipAddressPools: [pool-{number}], peers: [peer-{number}]}}\n---\napiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {{name: peer-{number}, namespace: metallb-system}}\nspec: {{myASN: 64512, peerASN: 64513, peerAddress: 172.22.{b}.{c}}}\n"
    );
}

fn config_map(size: usize) -> String {
    let mut text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config, namespace: metallb-system}\ndata:\n  config: |\n    peers: [{my-asn: 64512, peer-asn: 64513, peer-address: 172.22.0.1}]\n    address-pools:\n".to_owned();
    for number in 0..size {
        let _ = writeln!(
            text,
            "    - {{name: pool-{number}, protocol: bgp, addresses: [10.{}.{}.0/24]}}",
            number / 256,
            number % 256
        );
    }
    text
}

const CONFIGURATION: &str = "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: default, namespace: metallb-system}\nspec: {addresses: [192.0.2.0/24]}\n";

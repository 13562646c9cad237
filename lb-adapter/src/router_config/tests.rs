use super::*;
use crate::manifest::{Source, parse_with};

fn routers(config: &str, with_passwords: bool) -> Result<Vec<Router>, String> {
    let nodes = "apiVersion: v1\nkind: Node\nmetadata: {name: kube1}\nstatus: {addresses: [{type: InternalIP, address: 172.22.35.25}, {type: InternalIP, address: 'fd00::25'}]}\n";
    let source =
        Source { name: "f".to_owned(), octets: format!("{config}---\n{nodes}").into_bytes() };
    let options = Options { lenient: true, ..Options::default() };
    let manifests = parse_with(&options, "f", &[source]).unwrap();
    facts::of(&manifests, &facts::Wanted { peer: None, asn: None, with_passwords })
}

const CONFIG: &str = "\
peers:
- my-asn: 64636
  peer-asn: 64635
  peer-address: 172.22.35.1
  password: hunter2
  bfd-profile: fast
  ebgp-multihop: true
  dual-stack-address-family: true
bfd-profiles: [{name: fast, receive-interval: 50, transmit-interval: 60}]
address-pools:
- name: a
  protocol: bgp
  addresses: [172.22.35.64/26, 10.0.0.2-10.0.0.3, 'fd00:1::/64']
  bgp-advertisements: [{}, {aggregation-length: 31, aggregation-length-v6: 64}]
- {name: b, protocol: layer2, addresses: [10.9.0.0/24]}
";

#[test]
fn each_system_gets_all_that_it_must_know() {
    let router = &routers(CONFIG, false).unwrap()[0];
    for (system, words) in [
        (
            System::Bird,
            &[
                "172.22.35.64/26{31,32}",
                "fd00:1::/64{64,128}",
                "as 64636",
                "multihop;",
                "bfd on;",
                "merge paths on",
                "import limit 66",
            ][..],
        ),
        (
            System::Frr,
            &[
                "172.22.35.64/26 ge 31 le 32",
                "fd00:1::/64 le 128",
                "remote-as 64636",
                "ebgp-multihop 255",
                "bfd profile fast",
                "maximum-paths 64",
                "maximum-prefix 66",
            ],
        ),
        (
            System::Routeros6,
            &[
                "prefix=172.22.35.64/26 prefix-length=31-32",
                "remote-as=64636",
                "multihop=yes",
                "use-bfd=yes",
                "max-prefix-limit=10000",
            ],
        ),
        (
            System::Routeros7,
            &[
                "dst in 172.22.35.64/26 && dst-len in 31-32",
                "remote.as=64636",
                "multihop=yes",
                "use-bfd=yes",
                "limit-process-routes-ipv4=66",
            ],
        ),
        (
            System::Junos,
            &[
                "172.22.35.64/26 prefix-length-range /31-/32",
                "peer-as 64636",
                "multihop",
                "minimum-receive-interval 60",
                "multipath",
                "prefix-limit maximum 66",
            ],
        ),
        (
            System::Eos,
            &[
                "172.22.35.64/26 ge 31 le 32",
                "remote-as 64636",
                "ebgp-multihop 255",
                "min-rx 60",
                "maximum-paths 64",
                "maximum-routes 10000",
            ],
        ),
    ] {
        let text = system.write(router);
        for word in ["172.22.35.25", "64635", "PASSWORD"].iter().chain(words) {
            assert!(text.contains(word), "{system:?}: {word}\n{text}");
        }
        assert!(!text.contains("hunter2") && !text.contains("10.9.0.0"), "{text}");
    }
    let graceful = CONFIG.replace("  password:", "  enable-graceful-restart: true\n  password:");
    let router = &routers(&graceful, true).unwrap()[0];
    assert!(System::Bird.write(router).contains("bfd graceful;"));
    assert!(System::Frr.write(router).contains("password hunter2"));
}

#[test]
fn bfd_of_internal_peers_is_that_of_the_link() {
    let internal =
        CONFIG.replace("peer-asn: 64635", "peer-asn: 64636").replace("  ebgp-multihop: true\n", "");
    let router = &routers(&internal, false).unwrap()[0];
    assert!(System::Bird.write(router).contains("  direct;\n"));
    assert!(System::Junos.write(router).contains("session-mode single-hop"));
    let without = internal.replace("  bfd-profile: fast\n", "");
    let router = &routers(&without, false).unwrap()[0];
    assert!(!System::Bird.write(router).contains("direct;"), "it may be some hops away");
    let router = &routers(CONFIG, false).unwrap()[0];
    assert!(System::Bird.write(router).contains("  multihop;\n"));
    assert!(!System::Junos.write(router).contains("session-mode"));
}

#[test]
fn what_the_files_do_not_say_is_asked_for() {
    let external = CONFIG.replace("peer-asn: 64635", "dynamic-asn: external");
    assert_eq!(
        routers(&external, false).unwrap_err(),
        "peer 172.22.35.1:179 is in any external AS: say which with --asn"
    );
}

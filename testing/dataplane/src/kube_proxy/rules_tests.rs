use super::*;

const PODS: &str = "10.244.0.0/16";

fn port(external_local: bool, cluster: &[&str], local: &[&str]) -> Port {
    let owned = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
    Port {
        name: "mail/smtp/tcp/smtp".to_owned(),
        protocol: "tcp".to_owned(),
        port: 25,
        node_port: Some(30025),
        cluster_ip: Ipv4Addr::new(10, 96, 0, 25),
        vips: vec![Ipv4Addr::new(172, 22, 35, 70)],
        external_local,
        cluster_endpoints: owned(cluster),
        local_endpoints: owned(local),
        has_endpoints: !cluster.is_empty(),
    }
}

/// The lines of the rules of this port that contain these words, without what every table has.
fn lines(port: Port, words: &str) -> Vec<String> {
    let text = Ruleset::of(&[port], PODS).change(&Ruleset::default());
    text.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
}

#[test]
fn only_policy_cluster_hides_the_client() {
    let masquerade = "add rule ip kube-proxy external-mail/smtp/tcp/smtp jump mark-for-masquerade";
    assert_eq!(lines(port(false, &["10.244.1.1:2525"], &[]), masquerade), [masquerade]);
    let local = port(true, &["10.244.1.1:2525"], &["10.244.1.1:2525"]);
    assert!(lines(local, masquerade).is_empty());
}

#[test]
fn a_node_without_a_local_pod_drops_and_one_without_any_rejects() {
    let verdict = |port| lines(port, "no-endpoint-services { 172.22.35.70 . tcp . 25 :");
    let element = "add element ip kube-proxy no-endpoint-services { 172.22.35.70 . tcp . 25 : ";
    assert_eq!(verdict(port(true, &["10.244.1.1:2525"], &[])), [format!("{element}drop }}")]);
    assert_eq!(verdict(port(true, &[], &[])), [format!("{element}goto reject-chain }}")]);
    assert!(verdict(port(false, &["10.244.1.1:2525"], &[])).is_empty());
}

#[test]
fn a_change_writes_only_what_differs() {
    let before = Ruleset::of(&[port(false, &["10.244.1.1:2525"], &[])], PODS);
    assert_eq!(before.change(&before), "");

    let after = Ruleset::of(&[port(false, &["10.244.2.2:2525"], &[])], PODS);
    let change = after.change(&before);
    assert!(change.contains("dnat to 10.244.2.2:2525"), "{change}");
    assert!(
        change.contains("flush chain ip kube-proxy endpoint-mail/smtp/tcp/smtp__10.244.1.1/2525")
    );
    assert!(!change.contains("element"), "no address has changed: {change}");
}

//! The content of a message as read by tshark, in the same lines. The names of the fields are those of tshark 4.0.

use super::node::Node;
use super::prefix;

pub(crate) fn lines(message: &Node) -> Vec<String> {
    let kind = message.number("bgp.type");
    let mut lines = vec![format!("type {kind} of {} octets", message.text("bgp.length"))];
    match kind {
        1 => of_open(message, &mut lines),
        2 => of_update(message, &mut lines),
        3 => lines.push(of_notification(message)),
        5 => {
            let subtype = message.text("bgp.route_refresh.subtype");
            lines.push(format!("{} subtype {subtype}", family(message, "bgp.route_refresh")));
        }
        _ => {}
    }
    lines
}

fn family(node: &Node, prefix: &str) -> String {
    let [afi, safi] = ["afi", "safi"].map(|part| node.text(&format!("{prefix}.{part}")));
    format!("family {afi}/{safi}")
}

fn of_notification(message: &Node) -> String {
    let code = message.text("bgp.notify.major_error");
    let (name, subcode) = message
        .fields()
        .iter()
        .find(|(name, _)| name.starts_with("bgp.notify.minor_error") && !name.ends_with("_raw"))
        .unwrap();
    let Node::Text(subcode) = subcode else { panic!("`{name}` is not a number") };
    // Marker, length, type and the two codes have 21 octets.
    let data = message.leaves().split_off(2 * 21);
    format!("error {code} {subcode} data {data}")
}

fn of_open(message: &Node, lines: &mut Vec<String>) {
    let [version, my_as, hold_time, identifier] = ["version", "myas", "holdtime", "identifier"]
        .map(|name| message.text(&format!("bgp.open.{name}")));
    lines.push(format!("version {version} as {my_as} hold {hold_time} id {identifier}"));
    let parameters = message.all("bgp.open.opt").flat_map(|all| all.all("bgp.open.opt.param"));
    for capability in parameters.flat_map(|parameter| parameter.all("bgp.cap")) {
        let code = capability.number("bgp.cap.type");
        lines.push(format!("capability {code} length {}", capability.text("bgp.cap.length")));
        of_capability(code, capability, lines);
    }
}

fn of_capability(code: u64, node: &Node, lines: &mut Vec<String>) {
    match code {
        1 => lines.push(family(node, "bgp.cap.mp")),
        5 => {
            let next_hops = texts(node, "bgp.cap.enh.nhafi");
            let entries = families(node, "bgp.cap.enh").into_iter().zip(next_hops);
            lines.extend(entries.map(|(family, next_hop)| format!("{family} by {next_hop}")));
        }
        64 => {
            let timers = node.get("bgp.cap.gr.timers_tree").unwrap();
            let [r, n, time] = ["restart_flag", "notification_flag", "restart_time"]
                .map(|name| timers.text(&format!("bgp.cap.gr.timers.{name}")));
            lines.push(format!("restart {r} notification {n} time {time}"));
            let flags = node.all("bgp.cap.gr.flag_tree");
            let entries = families(node, "bgp.cap.gr").into_iter().zip(flags);
            lines.extend(entries.map(|(family, flags)| {
                format!("{family} forwarding {}", flags.text("bgp.cap.gr.flag.pfs"))
            }));
        }
        65 => lines.push(format!("as {}", node.text("bgp.cap.4as"))),
        69 => {
            let modes = texts(node, "bgp.cap.ap.sendreceive");
            let entries = families(node, "bgp.cap.ap").into_iter().zip(modes);
            lines.extend(entries.map(|(family, mode)| format!("{family} mode {mode}")));
        }
        73 => {
            let [host, domain] = ["hostname", "domain_name"]
                .map(|name| node.text(&format!("bgp.cap.orf.fqdn.{name}")));
            lines.push(format!("host {host} domain {domain}"));
        }
        2 | 6 | 70 => {}
        // Carried as octets: everything after type and length.
        _ => lines.push(format!("octets {}", &node.leaves()[4..])),
    }
}

fn texts<'a>(node: &'a Node, name: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    node.deep(name, &mut found);
    found
}

fn families(node: &Node, prefix: &str) -> Vec<String> {
    let [afis, safis] = ["afi", "safi"].map(|part| texts(node, &format!("{prefix}.{part}")));
    assert_eq!(afis.len(), safis.len());
    afis.iter().zip(safis).map(|(afi, safi)| format!("family {afi}/{safi}")).collect()
}

fn of_update(message: &Node, lines: &mut Vec<String>) {
    lines.push(format!("attributes length {}", message.text("bgp.update.path_attributes.length")));
    for withdrawn in message.all("bgp.update.withdrawn_routes") {
        of_prefixes("withdrawn", withdrawn, lines);
    }
    let all = message.all("bgp.update.path_attributes");
    for attribute in all.flat_map(|all| all.all("bgp.update.path_attribute")) {
        let [flags, code, length] =
            ["flags", "type_code", "length"].map(|name| attribute.number(&field(name)));
        lines.push(format!("attribute {code} flags {flags:02x} length {length}"));
        of_attribute(code, attribute, lines);
    }
    for nlri in message.all("bgp.update.nlri") {
        of_prefixes("nlri", nlri, lines);
    }
}

/// The full name of most fields of attributes.
fn field(name: &str) -> String {
    format!("bgp.update.path_attribute.{name}")
}

fn of_attribute(code: u64, node: &Node, lines: &mut Vec<String>) {
    let text = |name: &str| node.text(&field(name));
    match code {
        1 => lines.push(format!("origin {}", text("origin"))),
        2 | 17 => of_path(node, lines),
        3 => lines.push(format!("next hop {}", text("next_hop"))),
        4 => lines.push(format!("med {}", text("multi_exit_disc"))),
        5 => lines.push(format!("local pref {}", text("local_pref"))),
        6 => lines.push("atomic".to_owned()),
        7 | 18 => {
            let (asn, address) = (text("aggregator_as"), text("aggregator_origin"));
            lines.push(format!("aggregator {asn} {address}"));
        }
        8 => of_communities(node, lines),
        9 => lines.push(format!("originator {}", text("originator_id"))),
        10 => {
            let clusters = texts(node, "bgp.path_attribute.cluster_id");
            lines.extend(clusters.iter().map(|id| format!("cluster {id}")));
        }
        14 => of_reach(node, lines),
        15 => {
            lines.push(family(node, &field("mp_unreach_nlri")));
            for nlri in node.all(&field("mp_unreach_nlri")) {
                of_prefixes("unreach", nlri, lines);
            }
        }
        16 => of_extended(node, lines),
        32 => lines.extend(node.all("bgp.large_communities_tree").map(|one| {
            let [ga, first, second] = ["ga", "ldp1", "ldp2"]
                .map(|part| one.text(&format!("bgp.large_communities.{part}")));
            format!("large {ga}:{first}:{second}")
        })),
        // Carried as octets: everything after flags, type and length.
        _ => {
            let header = 4 + node.raw(&field("length")).len();
            lines.push(format!("octets {}", &node.leaves()[header..]));
        }
    }
}

fn of_path(node: &Node, lines: &mut Vec<String>) {
    lines.extend(node.all(&field("as_path_segment")).map(|segment| {
        let kind = segment.text(&field("as_path_segment.type"));
        let asns: Vec<_> = ["as2", "as4"]
            .iter()
            .flat_map(|width| texts(segment, &field(&format!("as_path_segment.{width}"))))
            .collect();
        format!("segment {kind} [{}]", asns.join(", "))
    }));
}

fn of_communities(node: &Node, lines: &mut Vec<String>) {
    let name = field("communities");
    let communities = node.all(&name);
    for community in communities.flat_map(|all| all.all("bgp.update.path_attribute.community")) {
        let [asn, value] = ["community_as", "community_value"].map(|n| community.text(&field(n)));
        lines.push(format!("community {asn}:{value}"));
    }
}

fn of_extended(node: &Node, lines: &mut Vec<String>) {
    let all = node.all("bgp.ext_communities");
    for fields in all.map(Node::fields) {
        for pair in fields.chunks_exact(2) {
            let [(_, raw), (_, community)] = pair else { continue };
            let word = match community.get("bgp.ext_com.stype_tr_as2") {
                Some(Node::Text(subtype)) if subtype == "0x02" => "rt",
                Some(Node::Text(subtype)) if subtype == "0x03" => "soo",
                _ => {
                    lines.push(format!("ext:{}", raw.hex().unwrap()));
                    continue;
                }
            };
            let [asn, value] =
                ["value_as2", "value_an4"].map(|n| community.text(&format!("bgp.ext_com.{n}")));
            lines.push(format!("{word}:{asn}:{value}"));
        }
    }
}

fn of_reach(node: &Node, lines: &mut Vec<String>) {
    let of_family = family(node, &field("mp_reach_nlri"));
    // The raw field includes the octet with the length.
    let length = node.raw(&field("mp_reach_nlri.next_hop")).len() / 2 - 1;
    lines.push(format!("{of_family} next hop length {length}"));
    let tree = node.get(&field("mp_reach_nlri.next_hop_tree")).unwrap();
    let part = |name: &str| {
        texts(tree, &field(&format!("mp_reach_nlri.next_hop.{name}"))).first().copied()
    };
    match (part("ipv4").or_else(|| part("ipv6")), part("ipv6.link_local")) {
        (Some(hop), Some(link_local)) => lines.push(format!("next hop {hop} ({link_local})")),
        (Some(hop), None) => lines.push(format!("next hop {hop}")),
        _ => {}
    }
    for nlri in node.all(&field("mp_reach_nlri")) {
        of_prefixes("reach", nlri, lines);
    }
}

/// The prefixes, or for a VPN, which this crate carries as octets, the octets of all nested fields. (tshark 4.0 only finds
/// the bounds of IPv6 ones: their text is its own format string, `Label Stack=%s RD=...`.)
fn of_prefixes(word: &str, node: &Node, lines: &mut Vec<String>) {
    let opaque = |name: &str| name == "BGP Prefix" || name.starts_with("bgp.label_stack");
    if node.fields().iter().any(|(name, _)| opaque(name)) {
        lines.push(format!("{word} octets {}", node.leaves()));
        return;
    }
    for (_, entry) in node.fields() {
        let id = entry.get("bgp.nlri_path_id").map(|_| entry.number("bgp.nlri_path_id"));
        let (_, address) =
            entry.fields().iter().find(|(name, _)| name.ends_with("_prefix")).unwrap();
        let Node::Text(address) = address else { panic!("a prefix without an address") };
        let text = format!("{address}/{}", entry.text("bgp.prefix_length"));
        let id = id.map(|id| u32::try_from(id).unwrap());
        lines.push(format!("{word} {}", prefix(id, &text)));
    }
}

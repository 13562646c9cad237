//! `ferrolb decode --pcap` and tshark find the same messages in the same packets: in a real session of two BIRDs, and in the
//! captures that are next to the workspace.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use test_peers::{
    Bird, Capture, Lan, Neighbor, Originated, Router, RouterConfig, requested, wait_until,
};

/// A deadline far longer than anything takes.
const SOON: Duration = Duration::from_secs(30);

/// The content of a packet.
#[derive(Debug, Default, PartialEq, Eq)]
struct PacketMessages {
    source: String,
    /// The types of the messages that the packet completes.
    types: Vec<u64>,
    /// The prefixes of IPv4 in the field NLRI.
    prefixes: Vec<String>,
    path_ids: Vec<u64>,
}

/// The messages by the numbers of their packets.
type Packets = BTreeMap<u64, PacketMessages>;

/// tshark's dissection.
fn theirs(file: &Path) -> Packets {
    let mut command = Command::new("tshark");
    command.args(["-n", "-d", "tcp.port==179,bgp", "-Y", "bgp", "-T", "fields", "-r"]).arg(file);
    for field in
        ["frame.number", "ip.src", "ipv6.src", "bgp.type", "bgp.nlri_prefix", "bgp.nlri_path_id"]
    {
        command.args(["-e", field]);
    }
    // Ignore the preferences of the user.
    let home = env!("CARGO_TARGET_TMPDIR");
    let output = command.env("HOME", home).env("XDG_CONFIG_HOME", home).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut packets = Packets::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let [number, ipv4, ipv6, types, prefixes, path_ids] = fields[..] else { panic!("{line}") };
        let words = |field: &str| {
            let words = field.split(',').filter(|word| !word.is_empty());
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        let numbers = |field| words(field).iter().map(|word| word.parse().unwrap()).collect();
        let packet = PacketMessages {
            source: [ipv4, ipv6].concat(),
            types: numbers(types),
            prefixes: words(prefixes),
            path_ids: numbers(path_ids),
        };
        if !packet.types.is_empty() {
            packets.insert(number.parse().unwrap(), packet);
        }
    }
    packets
}

/// Our lines about a file.
fn lines(file: &Path) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferrolb"));
    command.args(["decode", "--jsonl", "--pcap"]).arg(file).env_remove("FERROLB_LOG");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Our messages by their packets.
fn ours(lines: &[Value]) -> Packets {
    let mut packets = Packets::new();
    for line in lines.iter().filter(|line| line.get("error").is_none()) {
        assert_eq!(line["outcome"], "ok", "{line}");
        let packet = packets.entry(line["packet"].as_u64().unwrap()).or_default();
        line["from"].as_str().unwrap().clone_into(&mut packet.source);

        let decoded = &line["decoded"];
        let names = ["open", "update", "notification", "keepalive", "route-refresh"];
        let number = names.iter().position(|name| decoded["type"] == *name).unwrap();
        packet.types.push(u64::try_from(number + 1).unwrap());
        for route in decoded["nlri"].as_array().into_iter().flatten() {
            let (address, _) = route["prefix"].as_str().unwrap().split_once('/').unwrap();
            packet.prefixes.push(address.to_owned());
            packet.path_ids.extend(route["path_id"].as_u64());
        }
    }
    packets
}

/// Compares the messages of a file, and returns our lines without messages.
fn compare(file: &Path) -> Vec<Value> {
    let lines = lines(file);
    let (ours, theirs) = (ours(&lines), theirs(file));
    for number in ours.keys().chain(theirs.keys()) {
        let (ours, theirs) = (ours.get(number), theirs.get(number));
        assert_eq!(ours, theirs, "{}: packet {number}: ours, theirs", file.display());
    }
    assert!(!ours.is_empty(), "{}", file.display());
    lines.into_iter().filter(|line| line.get("error").is_some()).collect()
}

#[test]
fn a_real_session_is_decoded_as_by_tshark() {
    if !requested() {
        return;
    }
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("captures");
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("decode_two_birds.pcap");

    let lan = Lan::new();
    let hosts = [("one", "172.22.35.1"), ("two", "172.22.35.25")]
        .map(|(name, address)| lan.host(name, &[&format!("{address}/24")]));
    let capture = Capture::start(&hosts[0], &file);

    // Enough routes for messages in several segments.
    let mut config = RouterConfig::new("172.22.35.1", 4_200_000_001)
        .neighbor(Neighbor::new("172.22.35.25", 64_636).add_path().extended_messages());
    for number in 0..3_000_u16 {
        let [high, low] = number.to_be_bytes();
        let route = Originated::new(&format!("10.{high}.{low}.0/24"));
        config = config.route(route.community(64_635, number));
    }
    let first = Bird::start(&hosts[0], config);
    let config = RouterConfig::new("172.22.35.25", 64_636)
        .neighbor(Neighbor::new("172.22.35.1", 4_200_000_001).add_path().extended_messages())
        .route(Originated::new("192.0.2.0/24"));
    let second = Bird::start(&hosts[1], config);

    let [one, two]: [IpAddr; 2] = ["172.22.35.1", "172.22.35.25"].map(|it| it.parse().unwrap());
    wait_until(SOON, "the session", || second.established(one));
    wait_until(SOON, "all routes", || {
        let held = second.prefixes()?.len();
        if held >= 3_000 { Ok(()) } else { Err(format!("{held} prefixes")) }
    });
    first.shut_down(two, "maintenance").unwrap();
    wait_until(SOON, "the end of the session", || match second.established(one) {
        Ok(_) => Err("still established".to_owned()),
        Err(_) => Ok(()),
    });
    capture.judge(&[one, two]);

    let problems = compare(&file);
    assert!(problems.is_empty(), "{problems:?}");
    let decoded: Vec<_> = lines(&file).into_iter().map(|line| line["decoded"].clone()).collect();
    let of_type = |name: &str| decoded.iter().filter(|it| it["type"] == name).count();
    assert_eq!(of_type("open"), 2);
    assert_eq!(of_type("notification"), 1);

    // The OPENs decide: the routes have path identifiers, and the paths AS numbers of four octets.
    let routes = decoded.iter().filter_map(|it| it["nlri"].as_array()).flatten();
    let (mut count, mut with_ids) = (0, 0);
    for route in routes {
        count += 1;
        with_ids += usize::from(route["path_id"].is_u64());
    }
    assert_eq!((count, with_ids), (3_001, 3_001));
    let path = serde_json::json!([{"type": "sequence", "asns": [4_200_000_001_u32]}]);
    assert!(decoded.iter().any(|it| it["as_path"] == path));
}

/// Sessions with and without OPENs, VLANs and lost packets, from other programs and routers.
#[test]
fn the_captures_beside_the_workspace_are_decoded_as_by_tshark() {
    if !requested() {
        return;
    }
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/pcap");
    let Ok(entries) = std::fs::read_dir(&directory) else { return };

    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let mut problems = Vec::new();
    for name in &names {
        let found = compare(&directory.join(name));
        let name = name.to_str().unwrap();
        problems.extend(found.into_iter().map(|line| format!("{name}: {}", line["error"])));
    }
    assert!(names.len() > 20, "{names:?}");
    assert_eq!(problems, ["pmacct-302-a.pcap: \"truncated: expected 328 octets, found 43\""]);
}

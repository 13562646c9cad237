//! A capture as read by tshark: reassembled TCP, and each message with its octets and tshark's dissection.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::node::Node;

/// The addresses and ports of the sender and the receiver.
pub(crate) type Endpoints = (String, String);

/// A BGP message of a capture.
pub(crate) struct Captured {
    /// The number of the packet with its end.
    pub(crate) packet: usize,
    /// The TCP connection.
    pub(crate) stream: u64,
    pub(crate) endpoints: Endpoints,
    pub(crate) octets: Vec<u8>,
    /// tshark's dissection.
    pub(crate) fields: Node,
}

/// tshark's output for a file.
#[derive(Default)]
pub(crate) struct Capture {
    pub(crate) messages: Vec<Captured>,
    /// The TCP payload octets that are not in a message, such as those of a truncated message.
    pub(crate) left_over: usize,
    /// tshark's complaints about messages.
    pub(crate) complaints: Vec<String>,
}

/// The directory of the captures, next to the workspace. If it is missing, prints a note and returns `None`.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn directory() -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/pcap");
    if !directory.is_dir() {
        eprintln!("skipped: no captures in ../shared/data/pcap");
        return None;
    }
    Some(directory)
}

impl Capture {
    /// Runs tshark on a file.
    pub(crate) fn read(path: &Path) -> Self {
        let output = Command::new("tshark")
            .arg("-r")
            .arg(path)
            .args(["-n", "-d", "tcp.port==179,bgp", "-T", "json", "-x", "-J", "ip ipv6 tcp bgp"])
            // Ignore the preferences of the user.
            .env("HOME", env!("CARGO_TARGET_TMPDIR"))
            .env("XDG_CONFIG_HOME", env!("CARGO_TARGET_TMPDIR"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tshark failed on {}: {said}", path.display());

        let packets: Node = serde_json::from_slice(&output.stdout).unwrap();
        let Node::List(packets) = packets else { panic!("tshark's JSON is not a list of packets") };
        let (mut capture, mut carried) = (Self::default(), 0);
        for (index, packet) in packets.into_iter().enumerate() {
            carried += capture.take(index + 1, packet);
        }

        let whole: usize = capture.messages.iter().map(|message| message.octets.len()).sum();
        capture.left_over = carried.checked_sub(whole).expect("no octet is in two messages");
        capture
    }

    /// Takes the messages of a packet, and returns the length of its TCP payload.
    fn take(&mut self, packet: usize, node: Node) -> usize {
        let Some(layers) = take(node, "_source").and_then(|source| take(source, "layers")) else {
            panic!("packet {packet} has no layers");
        };
        let Some(tcp) = layers.all("tcp").last() else { return 0 };
        let (carried, stream) = (tcp.number("tcp.len"), tcp.number("tcp.stream"));
        let (from, to) = addresses(&layers);
        let from = format!("{from} {}", tcp.text("tcp.srcport"));
        let to = format!("{to} {}", tcp.text("tcp.dstport"));
        let malformed = layers.all("_ws.malformed").count();
        self.complaints.extend((0..malformed).map(|_| format!("packet {packet}: malformed")));

        let octets: Vec<_> = layers.all("bgp_raw").map(|raw| octets(raw.hex().unwrap())).collect();
        let Node::Fields(layers) = layers else { return 0 };
        let dissected = layers.into_iter().filter(|(name, _)| name == "bgp").map(|(_, node)| node);
        let mut octets = octets.into_iter();
        for fields in dissected {
            let mut said = Vec::new();
            fields.deep("_ws.expert.message", &mut said);
            let said = said.into_iter().map(|said| format!("packet {packet}: {said}"));
            self.complaints.extend(said);
            self.messages.push(Captured {
                packet,
                stream,
                endpoints: (from.clone(), to.clone()),
                octets: octets.next().unwrap(),
                fields,
            });
        }
        assert_eq!(octets.next(), None, "packet {packet}");
        usize::try_from(carried).unwrap()
    }

    /// The number of messages of each type.
    pub(crate) fn counts(&self) -> BTreeMap<u8, usize> {
        let mut counts = BTreeMap::new();
        for message in &self.messages {
            *counts.entry(message.octets[18]).or_default() += 1;
        }
        counts
    }
}

fn addresses(layers: &Node) -> (&str, &str) {
    let (node, version) = match layers.all("ip").last() {
        Some(node) => (node, "ip"),
        None => (layers.get("ipv6").unwrap(), "ipv6"),
    };
    (node.text(&format!("{version}.src")), node.text(&format!("{version}.dst")))
}

fn take(node: Node, name: &str) -> Option<Node> {
    let Node::Fields(fields) = node else { return None };
    fields.into_iter().find(|(other, _)| other == name).map(|(_, node)| node)
}

fn octets(hex: &str) -> Vec<u8> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.as_bytes().chunks_exact(2).map(pair).collect()
}

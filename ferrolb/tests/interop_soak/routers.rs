//! The two routers, and their tables as sets of paths.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;
use test_peers::{Bird, Frr, Lan, Neighbor, Router, RouterConfig};

use crate::programs::NODES;

/// The address of FRR; BIRD has that of the reference cluster.
pub(crate) const FRR: Ipv4Addr = Ipv4Addr::new(172, 22, 35, 3);
/// The AS of the routers.
const ASN: u32 = 64635;

/// A path in a table: the prefix, and the next hop.
pub(crate) type TablePath = (String, IpAddr);

/// The paths in a table, each with the problem of its attributes, if there is one.
pub(crate) type Table = BTreeMap<TablePath, Option<String>>;

/// BIRD and FRR, each with a session to every node.
pub(crate) struct Routers {
    pub(crate) bird: Bird,
    pub(crate) frr: Frr,
}

/// Their names, in the order of [`Routers::tables`].
pub(crate) const NAMES: [&str; 2] = [Bird::NAME, Frr::NAME];

impl Routers {
    pub(crate) fn start(lan: &Lan) -> Self {
        let config = |own: Ipv4Addr| {
            let config = RouterConfig::new(&own.to_string(), ASN).quiet();
            NODES.into_iter().fold(config, |config, (_, address)| {
                config.neighbor(Neighbor::new(&address.to_string(), 64636).passive())
            })
        };
        let host = |name: &str, own: Ipv4Addr| lan.host(name, &[&format!("{own}/24")]);
        let bird = crate::programs::ROUTER;
        Self {
            bird: Bird::start(&host("bird", bird), config(bird)),
            frr: Frr::start(&host("frr", FRR), config(FRR)),
        }
    }

    /// The tables of both, read at the same time.
    pub(crate) fn tables(&self) -> [Result<Table, String>; 2] {
        std::thread::scope(|scope| {
            let bird = scope.spawn(|| self.bird.ask("show route all").map(|it| bird_table(&it)));
            let frr = frr_table(&self.frr);
            [bird.join().expect("a thread that does not panic"), frr]
        })
    }

    /// Ends the session with a node at one of them.
    pub(crate) fn reset(&self, router: usize, node: usize) -> Result<(), String> {
        match router {
            0 => self.bird.ask(&format!("restart peer{node}")).map(drop),
            _ => self.frr.ask(&format!("clear bgp {}", NODES[node].1)).map(drop),
        }
    }

    /// The names of the routers, with the ids of their processes.
    pub(crate) fn processes(&self) -> [(&'static str, Option<u32>); 2] {
        let first = |ids: Vec<u32>| ids.first().copied();
        [
            (NAMES[0], first(self.bird.daemon().process_ids())),
            (NAMES[1], first(self.frr.daemon().process_ids())),
        ]
    }
}

/// Parses `show route all`: a line `PREFIX unicast [peer0 ..` for each path, which names the prefix only once, and a line
/// for each attribute.
fn bird_table(reply: &str) -> Table {
    let mut table = Table::new();
    let mut prefix = String::new();
    let mut path = None;
    for line in reply.lines() {
        if line.contains(" unicast [") || line.contains("\tunicast [") {
            let first = line.split_whitespace().next().filter(|word| word.contains('/'));
            if let Some(first) = first {
                prefix = first.to_owned();
            }
            continue;
        }

        match line.trim().split_once(": ") {
            Some(("BGP.next_hop", hop)) => {
                let hop = hop.split_whitespace().next().and_then(|hop| hop.parse().ok());
                path = hop.map(|hop: IpAddr| (prefix.clone(), hop));
                table.extend(path.clone().map(|path| (path, None)));
            }
            Some(("BGP.community", communities)) if communities.contains("(65535,0)") => {
                if let Some(problem) = path.as_ref().and_then(|path| table.get_mut(path)) {
                    *problem = Some("depreferenced".to_owned());
                }
            }
            _ => {}
        }
    }
    table
}

fn frr_table(frr: &Frr) -> Result<Table, String> {
    let reply = frr.ask("show bgp ipv4 unicast json")?;
    // There is no JSON before the first route.
    let reply: Value = serde_json::from_str(&reply).map_err(|error| format!("{error}: {reply}"))?;

    let mut table = Table::new();
    for (prefix, paths) in reply["routes"].as_object().into_iter().flatten() {
        for path in paths.as_array().into_iter().flatten() {
            let hop = path["nexthops"][0]["ip"].as_str().and_then(|hop| hop.parse().ok());
            let hop: IpAddr = hop.ok_or_else(|| format!("a path without next hop: {path}"))?;
            let problem = (path["peerId"] != hop.to_string().as_str())
                .then(|| format!("from {}", path["peerId"]));
            table.insert((prefix.clone(), hop), problem);
        }
    }
    Ok(table)
}

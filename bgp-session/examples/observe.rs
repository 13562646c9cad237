//! Waits for peers to connect and prints the routes that they announce, as they change.
//!
//! ```text
//! cargo run -p bgp-session --example observe -- LISTEN OWN_AS PEER=AS...
//! cargo run -p bgp-session --example observe -- 127.0.0.2:1790 64500 127.0.0.1=64512 127.0.0.3=any
//! ```
#![expect(clippy::print_stdout, reason = "an example prints to its user")]

use std::{env, error::Error, net::IpAddr, net::SocketAddr};

use bgp_session::{Asn, BgpIdentifier, Import, LocRibSnapshot, PeerConfig, RemoteAs, Speaker};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [listen, own_as, peers @ ..] = arguments.as_slice() else {
        return Err("expected LISTEN OWN_AS PEER=AS...".into());
    };

    let listen: SocketAddr = listen.parse()?;
    let identifier = match listen.ip() {
        IpAddr::V4(address) if !address.is_unspecified() => address.into(),
        _ => BgpIdentifier::new(10, 0, 0, 1),
    };
    let builder = Speaker::builder(Asn(own_as.parse()?), identifier).listen(listen);
    let speaker = builder.start().await?;

    // A session lasts as long as its handle.
    let mut handles = Vec::new();
    for peer in peers {
        let (address, asn) = peer.split_once('=').ok_or("expected PEER=AS")?;
        let config = PeerConfig::new(address.parse::<IpAddr>()?, asn.parse::<RemoteAs>()?);
        handles.push(speaker.add_peer(config.passive().import(Import::Keep)).await?);
    }

    let mut changed = speaker.loc_rib_changed();
    loop {
        changed.changed().await?;
        print(&speaker.loc_rib());
    }
}

fn print(table: &LocRibSnapshot) {
    println!("{} prefixes", table.len());
    for (prefix, paths) in table {
        for path in paths {
            let mark = if path.best { '>' } else { ' ' };
            println!("{mark} {prefix:<20} from {:<16} path {}", path.peer, path.attributes.as_path);
        }
    }
}

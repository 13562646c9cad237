//! Waits for peers to connect and prints the routes that they announce, as they change.
//!
//! ```text
//! cargo run -p bgp-session --example observe -- LISTEN OWN_AS PEER=AS...
//! cargo run -p bgp-session --example observe -- 127.0.0.2:1790 64500 127.0.0.1=64512 127.0.0.3=any
//! ```

use std::{
    env,
    error::Error,
    io::{self, Write},
    net::{IpAddr, SocketAddr},
};

use bgp_session::{
    BgpIdentifier, Import, LocRibSnapshot, PeerAddress, PeerConfig, RemoteAs, Speaker,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    run(&arguments, io::stdout()).await
}

pub(crate) async fn run(arguments: &[String], mut out: impl Write) -> Result<(), Box<dyn Error>> {
    let [listen, own_as, peers @ ..] = arguments else {
        return Err("expected LISTEN OWN_AS PEER=AS...".into());
    };

    let listen: SocketAddr = listen.parse()?;
    let identifier = match listen.ip() {
        IpAddr::V4(address) if !address.is_unspecified() => address.into(),
        _ => BgpIdentifier::new(10, 0, 0, 1),
    };
    let speaker = Speaker::builder(own_as.parse()?, identifier).listen(listen).start().await?;
    let mut changed = speaker.loc_rib_changed();

    // A session lasts as long as its handle.
    let mut handles = Vec::new();
    for peer in peers {
        let (address, asn) = peer.split_once('=').ok_or("expected PEER=AS")?;
        let (address, asn): (PeerAddress, RemoteAs) = (address.parse()?, asn.parse()?);
        let config = PeerConfig::new(address, asn).passive().import(Import::Keep);
        handles.push(speaker.add_peer(config).await?);
    }

    loop {
        changed.changed().await?;
        print(&speaker.loc_rib(), &mut out)?;
    }
}

fn print(table: &LocRibSnapshot, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{} prefixes", table.len())?;
    for (prefix, paths) in table {
        for path in paths {
            let mark = if path.best { '>' } else { ' ' };
            let as_path = &path.attributes.as_path;
            let prefix = prefix.to_string();
            writeln!(out, "{mark} {prefix:<20} from {:<16} path {as_path}", path.peer)?;
        }
    }
    Ok(())
}

//! Waits for peers to connect, shows their routes to a monitoring station (BMP), and records their messages (MRT).
//!
//! ```text
//! cargo run -p bgp-session --example monitor -- LISTEN OWN_AS STATION PEER=AS... > FILE
//! cargo run -p bgp-session --example monitor -- 127.0.0.2:1790 64500 127.0.0.1:11019 127.0.0.1=any > messages.mrt
//! bgpdump -m messages.mrt
//! ```

use std::{
    env,
    error::Error,
    io::{self, Write},
    net::{IpAddr, SocketAddr},
};

use bgp_session::{
    BgpIdentifier, Import, MonitoredRib, PeerAddress, PeerConfig, RemoteAs, Speaker, StationConfig,
};
use bytes::BytesMut;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    run(&arguments, io::stdout()).await
}

pub(crate) async fn run(arguments: &[String], mut out: impl Write) -> Result<(), Box<dyn Error>> {
    let [listen, own_as, station, peers @ ..] = arguments else {
        return Err("expected LISTEN OWN_AS STATION PEER=AS...".into());
    };

    let listen: SocketAddr = listen.parse()?;
    let identifier = match listen.ip() {
        IpAddr::V4(address) if !address.is_unspecified() => address.into(),
        _ => BgpIdentifier::new(10, 0, 0, 1),
    };
    let speaker = Speaker::builder(own_as.parse()?, identifier).listen(listen).start().await?;

    let config = StationConfig::connect(station.parse()?)
        .ribs([MonitoredRib::AdjRibInPrePolicy, MonitoredRib::LocRib])
        .sys_name("monitor");
    // A stream and a session last as long as their handles.
    let _station = speaker.add_station(config).await?;
    let mut handles = Vec::new();
    let mut recorder = speaker.record_messages(64 << 20);
    for peer in peers {
        let (address, asn) = peer.split_once('=').ok_or("expected PEER=AS")?;
        let (address, asn): (PeerAddress, RemoteAs) = (address.parse()?, asn.parse()?);
        let config = PeerConfig::new(address, asn).passive().import(Import::Keep);
        handles.push(speaker.add_peer(config).await?);
    }

    let mut records = BytesMut::new();
    while let Some(recorded) = recorder.next(&mut records).await {
        recorded?;
        out.write_all(&records)?;
        out.flush()?;
        records.clear();
    }
    Ok(())
}

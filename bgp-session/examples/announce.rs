//! Announces prefixes to a router until it is interrupted.
//!
//! ```text
//! cargo run -p bgp-session --example announce -- ROUTER[:PORT] ROUTER_AS OWN_AS PREFIX...
//! cargo run -p bgp-session --example announce -- 127.0.0.2:1790 64500 64512 203.0.113.7/32
//! ```
//!
//! The BGP Identifier is derived from the process, so that several may run at the same time.
#![expect(clippy::print_stdout, reason = "an example prints to its user")]

use std::{env, error::Error, net::IpAddr, net::SocketAddr};

use bgp_session::{
    Asn, BgpIdentifier, EventKind, PeerAddress, PeerConfig, Route, RouteSet, Speaker,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [router, router_as, own_as, prefixes @ ..] = arguments.as_slice() else {
        return Err("expected ROUTER[:PORT] ROUTER_AS OWN_AS PREFIX...".into());
    };

    // Any identifier will do, as long as no other speaker in the AS has it.
    let identifier = BgpIdentifier::from(0x0a00_0000 | (std::process::id() & 0x00ff_ffff));
    let speaker = Speaker::builder(Asn(own_as.parse()?), identifier).start().await?;
    let mut events = speaker.events();
    let config = PeerConfig::new(address(router)?, Asn(router_as.parse()?));
    let peer = speaker.add_peer(config).await?;

    let mut routes = RouteSet::new();
    for prefix in prefixes {
        routes.insert(Route::new(prefix.parse()?));
    }
    peer.set_routes(routes).await?;

    loop {
        match events.next().await {
            Some(Ok(event)) => match event.kind {
                EventKind::Up(negotiated) => {
                    println!("{}: up, hold time {:?}", event.peer, negotiated.hold_time);
                }
                EventKind::Down(reason) => println!("{}: down, {reason}", event.peer),
                EventKind::Failed(reason) => println!("{}: no session, {reason}", event.peer),
                _ => {}
            },
            Some(Err(missed)) => println!("{missed}"),
            None => return Ok(()),
        }
    }
}

fn address(text: &str) -> Result<PeerAddress, Box<dyn Error>> {
    if let Ok(with_port) = text.parse::<SocketAddr>() {
        return Ok(with_port.into());
    }
    Ok(text.parse::<IpAddr>()?.into())
}

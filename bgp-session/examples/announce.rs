//! Announces prefixes to a router until it is interrupted.
//!
//! ```text
//! cargo run -p bgp-session --example announce -- ROUTER[:PORT] ROUTER_AS OWN_AS PREFIX...
//! cargo run -p bgp-session --example announce -- 127.0.0.2:1790 64500 64512 203.0.113.7/32
//! ```
//!
//! The BGP Identifier is derived from the process, so that several may run at the same time.

use std::{
    env,
    error::Error,
    io::{self, Write},
};

use bgp_session::{
    Asn, BgpIdentifier, EventKind, PeerAddress, PeerConfig, Route, RouteSet, Speaker,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    run(&arguments, io::stdout()).await
}

pub(crate) async fn run(arguments: &[String], mut out: impl Write) -> Result<(), Box<dyn Error>> {
    let [router, router_as, own_as, prefixes @ ..] = arguments else {
        return Err("expected ROUTER[:PORT] ROUTER_AS OWN_AS PREFIX...".into());
    };
    let (router, router_as): (PeerAddress, Asn) = (router.parse()?, router_as.parse()?);

    // Any identifier will do, as long as no other speaker in the AS has it.
    let identifier = BgpIdentifier::from(0x0a00_0000 | (std::process::id() & 0x00ff_ffff));
    let speaker = Speaker::builder(own_as.parse()?, identifier).start().await?;
    let mut events = speaker.events();
    let peer = speaker.add_peer(PeerConfig::new(router, router_as)).await?;

    let mut routes = RouteSet::new();
    for prefix in prefixes {
        routes.insert(Route::new(prefix.parse()?));
    }
    peer.set_routes(routes).await?;

    while let Some(event) = events.next().await {
        match event {
            Ok(event) => match event.kind {
                EventKind::Up(_) | EventKind::Down(_) | EventKind::Failed(_) => {
                    writeln!(out, "{event}")?;
                }
                _ => {}
            },
            Err(missed) => writeln!(out, "{missed}")?,
        }
    }
    Ok(())
}

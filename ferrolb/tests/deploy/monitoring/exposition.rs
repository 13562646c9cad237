//! The metrics of a process in which everything has a value, read as Prometheus reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bgp_session::bfd::{BfdStatus, State};
use bgp_session::{Asn, BgpIdentifier, DownReason, PeerConfig, Speaker, TransportError};
use ferrolb_node::metrics::{
    self, AnnouncedAddress, ApiSample, ConfigSample, DataplaneSample, Latency, PoolSample,
    PoolUsage, ProbeSample, Sample, SessionSample,
};
use lb_adapter::model::ServiceKey;
use lb_adapter::planner::ProbeStatus;

/// The labels of a metric's series, each with its values.
pub(crate) type Labels = BTreeMap<String, BTreeSet<String>>;

/// The metrics of a process, by the names that queries use.
#[derive(Debug, Default)]
pub(crate) struct Exposition(pub(crate) BTreeMap<String, Labels>);

impl Exposition {
    /// Reads the text of `/metrics`. Fails on a line that is not of its format.
    pub(crate) fn read(text: &str) -> Self {
        let mut read = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let metric = read.0.entry(name.to_owned()).or_default();
            let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"));
            for (label, value) in pairs(labels) {
                metric.entry(label).or_default().insert(value);
            }
        }
        read
    }
}

/// The pairs of `a="b",c="d"`.
fn pairs(labels: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = labels;
    while let Some((label, after)) = rest.split_once("=\"") {
        let mut end = 0;
        while !after[end..].starts_with('"') {
            end += if after[end..].starts_with('\\') { 2 } else { 1 };
        }
        pairs.push((label.trim_start_matches(',').to_owned(), after[..end].to_owned()));
        rest = &after[end + 1..];
    }
    assert_eq!(rest, "", "{labels}");
    pairs
}

/// The metrics of a process in which everything has a value.
pub(crate) async fn full() -> String {
    let speaker = Speaker::builder(Asn(64_636), BgpIdentifier::new(172, 22, 35, 25));
    let speaker = speaker.start().await.unwrap();
    let peer = PeerConfig::new(std::net::SocketAddr::from(([127, 0, 0, 1], 1)), Asn(64_635));
    let peer = speaker.add_peer(peer).await.unwrap();
    let mut status = peer.status();
    status.last_down = Some(DownReason::Transport(TransportError::Reset));

    let mut session = SessionSample::new("tor", "172.22.35.1:179", status);
    session.hold_time = Duration::from_secs(90);
    let mut bfd = BfdStatus::default();
    bfd.state = State::Down;
    bfd.problem = Some("cannot receive BFD at 10.77.0.11:3784".to_owned());
    session.status.bfd = Some(bfd);

    let smtp = ServiceKey::new("mail", "smtp");
    let sample = Sample {
        node: Some("kube1".to_owned()),
        config: ConfigSample::new(true, false, Some(1.0)),
        pools: vec![PoolSample {
            name: "default".to_owned(),
            ipv4: PoolUsage::new(2, 64),
            services: 3,
            ..PoolSample::default()
        }],
        pending_services: Some(1),
        sessions: vec![session],
        probes: vec![ProbeSample::new(smtp.clone(), ProbeStatus::Up)],
        announced: vec![AnnouncedAddress::new(smtp, [172, 22, 35, 70].into())],
        api: ApiSample::new(7, 0, [("services", 1)].into()),
        dataplane: Some(DataplaneSample {
            kube_proxy_healthy: Some(true),
            ..DataplaneSample::default()
        }),
        ..Sample::default()
    };
    metrics::encode(&sample, &Latency::new()).unwrap()
}

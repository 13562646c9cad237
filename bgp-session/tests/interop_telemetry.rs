//! Telemetry, read by other programs: the stream to a station by tshark and by pmacct's collector, MRT files by bgpdump.
//!
//! They run when `FERROLB_TEST_INTEROP=1` (`make interop`), on loopback addresses.

use std::{
    fs,
    io::Write as _,
    net::{IpAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use bgp_core::{
    PeerType,
    bmp::{BmpFrame, BmpMessage, PerPeerHeader},
    wire::{Frame, Message, MessageLimit, WireContext},
};
use bgp_session::{
    AfiSafi, Asn, BgpIdentifier, Community, Import, IpNet, MonitoredRib, PeerConfig, PeerHandle,
    Route, Speaker, StationConfig,
};
use bytes::BytesMut;
use test_peers::requested;
use tokio::{io::AsyncReadExt as _, net::TcpSocket, time::Instant};

const ALL: [MonitoredRib; 5] = [
    MonitoredRib::AdjRibInPrePolicy,
    MonitoredRib::AdjRibInPostPolicy,
    MonitoredRib::AdjRibOutPrePolicy,
    MonitoredRib::AdjRibOutPostPolicy,
    MonitoredRib::LocRib,
];
const SOON: Duration = Duration::from_secs(30);

/// A router with a session to a node, which announces one IPv4 and one IPv6 prefix.
struct World {
    router: Speaker,
    at_router: PeerHandle,
    _node: Speaker,
    at_node: PeerHandle,
}

async fn world(ours: &str, peer: &str) -> World {
    let router = Speaker::builder(Asn(64_635), BgpIdentifier::new(172, 22, 35, 1));
    let router = router.listen((ours.parse::<IpAddr>().unwrap(), 0).into()).start().await.unwrap();
    let node = Speaker::builder(Asn(4_200_000_036), BgpIdentifier::new(172, 22, 35, 25));
    let node = node.start().await.unwrap();

    let address: IpAddr = peer.parse().unwrap();
    let config = PeerConfig::new(address, Asn(4_200_000_036)).passive().import(Import::Keep);
    let at_router = router.add_peer(config).await.unwrap();
    let config = PeerConfig::new(router.listen_addr().unwrap(), Asn(64_635));
    let at_node = node.add_peer(config.local_address(address)).await.unwrap();
    let community = Community::new(64_635, 7);
    at_node.announce(route("10.1.0.0/16").med(5).community(community)).await.unwrap();
    let hop = "2001:db8::1".parse().unwrap();
    at_node.announce(route("2001:db8::/32").next_hop(hop)).await.unwrap();
    at_router.announce(route("192.0.2.0/24")).await.unwrap();

    let mut changed = router.loc_rib_changed();
    let complete = async {
        while router.loc_rib().len() < 2 {
            changed.changed().await.unwrap();
        }
    };
    tokio::time::timeout(SOON, complete).await.expect("both routes arrive");
    World { router, at_router, _node: node, at_node }
}

fn route(prefix: &str) -> Route {
    Route::new(prefix.parse().unwrap())
}

/// A file of this test run.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("telemetry-{}-{name}", std::process::id()))
}

/// The whole messages in a stream.
fn messages(mut stream: &[u8]) -> Vec<BmpFrame<'_>> {
    let mut frames = Vec::new();
    while let Some(frame) = BmpFrame::split(stream).unwrap() {
        stream = &stream[frame.as_bytes().len()..];
        frames.push(frame);
    }
    frames
}

/// Waits until the stream satisfies `wanted`.
async fn wait(stream: &Mutex<Vec<u8>>, what: &str, wanted: impl Fn(&[String]) -> bool) {
    let lines = || messages(&stream.lock().unwrap()).iter().map(line).collect::<Vec<_>>();
    let wait = async {
        while !wanted(&lines()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let outcome = tokio::time::timeout(SOON, wait).await;
    assert!(outcome.is_ok(), "timed out waiting for {what}: {:#?}", lines());
}

/// The whole stream of a router to a station: tables, changes, statistics, the end of a session, and that of the stream.
async fn stream() -> Vec<u8> {
    let World { router, at_router, at_node, _node } = world("127.0.17.1", "127.0.18.1").await;
    let listener = tokio::net::TcpListener::bind("127.0.17.1:0").await.unwrap();
    let config = StationConfig::connect(listener.local_addr().unwrap())
        .ribs(ALL)
        .statistics_interval(Duration::from_millis(500));
    let station = router.add_station(config).await.unwrap();

    let (mut connection, _) = listener.accept().await.unwrap();
    let octets = Arc::new(Mutex::new(Vec::new()));
    let reading = tokio::spawn({
        let octets = Arc::clone(&octets);
        async move {
            let mut buffer = [0; 4_096];
            while let Ok(read @ 1..) = connection.read(&mut buffer).await {
                octets.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        }
    });

    let has = |lines: &[String], kind: &str, prefix: &str| {
        lines.iter().any(|line| line.starts_with(kind) && line.contains(prefix))
    };
    for flags in ["0x00", "0x40"] {
        let kind = format!("0 0 {flags}");
        wait(&octets, &kind, |lines| has(lines, &kind, "2001:db8::")).await;
    }
    wait(&octets, "the Loc-RIB", |lines| has(lines, "0 3", "10.1.0.0")).await;
    at_node.withdraw("10.1.0.0/16".parse::<IpNet>().unwrap()).await.unwrap();
    at_router.announce(route("198.51.100.0/24")).await.unwrap();
    wait(&octets, "the withdrawal", |lines| has(lines, "0 3", "-10.1.0.0")).await;
    wait(&octets, "the route out", |lines| has(lines, "0 0 0x50", "198.51.100.0")).await;
    wait(&octets, "statistics", |lines| has(lines, "1 0", "")).await;
    at_node.disable("new cables").await.unwrap();
    wait(&octets, "the end of the session", |lines| has(lines, "2 0", "")).await;

    station.close("maintenance").await;
    tokio::time::timeout(SOON, reading).await.unwrap().unwrap();
    let octets = std::mem::take(&mut *octets.lock().unwrap());
    assert_eq!(messages(&octets).iter().map(|it| it.as_bytes().len()).sum::<usize>(), octets.len());
    octets
}

/// A message as a line: type, peer, ports, reason, and the prefixes of its routes; `-` precedes a withdrawn one.
fn line(frame: &BmpFrame<'_>) -> String {
    let kind = frame.kind().0;
    match frame.decode().unwrap() {
        BmpMessage::RouteMonitoring(it) => {
            format!("{kind} {} {}", of_peer(&it.peer), of_update(it.update))
        }
        BmpMessage::PeerUp(it) => {
            format!("{kind} {} {} {}", of_peer(&it.peer), it.local_port, it.remote_port)
        }
        BmpMessage::PeerDown(it) => {
            format!("{kind} {} reason {}", of_peer(&it.peer), it.reason.code())
        }
        BmpMessage::StatisticsReport(it) => {
            format!("{kind} {} statistics {}", of_peer(&it.peer), it.statistics.count())
        }
        _ => format!("{kind}"),
    }
}

fn of_peer(peer: &PerPeerHeader) -> String {
    let PerPeerHeader { peer_type, flags, address, asn, identifier, timestamp, .. } = peer;
    let seconds = timestamp.as_secs();
    format!("{} 0x{:02x} {address} {} {identifier} {seconds}", peer_type.0, flags.0, asn.0)
}

fn of_update(octets: &[u8]) -> String {
    let cx = WireContext::new(PeerType::Internal)
        .four_octet_as(true)
        .multiprotocol(AfiSafi::IPV6_UNICAST, true);
    let frame = Frame::split(octets, MessageLimit::Extended).unwrap().unwrap();
    let Ok(Message::Update(update)) = Message::decode(frame, cx) else { panic!("no UPDATE") };
    assert_eq!(update.error(), None);
    let gone = update.unreachable().map(|prefix| format!("-{}", prefix.network()));
    let new = update.reachable().map(|prefix| prefix.network().to_string());
    gone.chain(new).collect::<Vec<_>>().join(" ")
}

/// A capture with one packet for each message.
fn capture(stream: &[u8]) -> Vec<u8> {
    let mut pcap = Vec::new();
    for number in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0x4_0000, 101_u32] {
        pcap.extend(number.to_le_bytes());
    }
    let mut sequence = 1_u32;
    for frame in messages(stream) {
        let payload = frame.as_bytes();
        let length = u16::try_from(40 + payload.len()).unwrap();
        for number in [0, 0, u32::from(length), u32::from(length)] {
            pcap.extend(number.to_le_bytes());
        }
        pcap.extend([0x45, 0]);
        pcap.extend(length.to_be_bytes());
        pcap.extend([0, 0, 0x40, 0, 64, 6, 0, 0, 127, 0, 17, 1, 127, 0, 18, 1]);
        pcap.extend([0x9c, 0x40, 0x2b, 0x0b]);
        pcap.extend(sequence.to_be_bytes());
        pcap.extend([0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
        pcap.extend(payload);
        sequence += u32::from(length) - 40;
    }
    pcap
}

/// tshark's line for each message, like those of [`line`], and all that it complains about.
fn by_tshark(stream: &[u8]) -> (Vec<String>, Vec<String>) {
    let path = file("stream.pcap");
    fs::write(&path, capture(stream)).unwrap();
    let fields = [
        "bmp.type",
        "bmp.peer.type",
        "bmp.peer.flags",
        "bmp.peer.ip.addr",
        "bmp.peer.ipv6.addr",
        "bmp.peer.asn",
        "bmp.peer.id",
        "bmp.peer.timestamp.sec",
        "bmp.peer.up.port.local",
        "bmp.peer.up.port.remote",
        "bmp.peer.down.reason",
        "bmp.stats.count",
        "bgp.withdrawn_prefix",
        "bgp.mp_unreach_nlri_ipv6_prefix",
        "bgp.nlri_prefix",
        "bgp.mp_reach_nlri_ipv6_prefix",
        "_ws.expert.message",
        "_ws.malformed",
    ];
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(&path).args(["-n", "-d", "tcp.port==11019,bmp", "-T", "fields"]);
    tshark.args(["-E", "separator=|"]);
    tshark.args(fields.iter().flat_map(|field| ["-e", field]));
    let output = tshark.env("HOME", env!("CARGO_TARGET_TMPDIR")).output().unwrap();
    let _ = fs::remove_file(&path);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let (mut lines, mut complaints) = (Vec::new(), Vec::new());
    for packet in String::from_utf8(output.stdout).unwrap().lines() {
        let values: Vec<_> = packet.split('|').collect();
        let &[
            kind,
            peer_type,
            flags,
            v4,
            v6,
            asn,
            id,
            seconds,
            local,
            remote,
            reason,
            statistics,
            gone4,
            gone6,
            new4,
            new6,
            expert,
            malformed,
        ] = values.as_slice()
        else {
            panic!("{} fields: {packet}", values.len());
        };
        // tshark 4.0 takes the TLV behind the OPENs of a Peer Up, which the Loc-RIB must have (RFC 9069 section 4.4), for
        // a BGP message.
        let is_loc_rib_up = (kind, peer_type) == ("3", "3");
        let said = [expert, malformed].into_iter();
        let said = said.filter(|said| !said.is_empty() && !is_loc_rib_up);
        complaints.extend(said.map(|said| format!("{said}: {packet}")));

        let list = |prefixes: &str, sign: &str| {
            let prefixes = prefixes.split(',').filter(|prefix| !prefix.is_empty());
            prefixes.map(|prefix| format!("{sign}{prefix}")).collect::<Vec<_>>()
        };
        let peer = format!("{peer_type} {flags} {v4}{v6} {asn} {id} {seconds}");
        lines.push(match kind {
            "0" => {
                let routes = [list(gone4, "-"), list(gone6, "-"), list(new4, ""), list(new6, "")];
                format!("{kind} {peer} {}", routes.concat().join(" "))
            }
            "1" => format!("{kind} {peer} statistics {statistics}"),
            "2" => format!("{kind} {peer} reason {reason}"),
            "3" => format!("{kind} {peer} {local} {remote}"),
            _ => kind.to_owned(),
        });
    }
    (lines, complaints)
}

/// pmacct's collector, killed when dropped.
struct Pmbmpd {
    child: Child,
    config: PathBuf,
    log: PathBuf,
    address: std::net::SocketAddr,
    /// Keeps the port from others. pmacct sets SO_REUSEADDR, so it can listen there too.
    _reserved: TcpSocket,
}

impl Pmbmpd {
    fn start() -> Self {
        let reserved = TcpSocket::new_v4().unwrap();
        reserved.set_reuseaddr(true).unwrap();
        reserved.bind("127.0.17.2:0".parse().unwrap()).unwrap();
        let address = reserved.local_addr().unwrap();
        let (config, log) = (file("pmbmpd.conf"), file("pmbmpd.log"));
        let (ip, port, path) = (address.ip(), address.port(), log.display());
        let text = format!(
            "bmp_daemon_ip: {ip}\nbmp_daemon_port: {port}\nbmp_daemon_msglog_file: {path}\nbmp_daemon_msglog_output: json\n"
        );
        fs::write(&config, text).unwrap();
        let mut pmbmpd = Command::new("pmbmpd");
        let (out, err) = (Stdio::null(), Stdio::null());
        pmbmpd.arg("-f").arg(&config).stdout(out).stderr(err);
        let child = pmbmpd.spawn().expect("pmbmpd, of the Debian package pmacct, is installed");
        Self { child, config, log, address, _reserved: reserved }
    }

    /// Sends it a stream, and returns its log.
    fn read(&self, stream: &[u8]) -> Vec<serde_json::Value> {
        let start = Instant::now();
        let mut connection = loop {
            match TcpStream::connect(self.address) {
                Ok(connection) => break connection,
                Err(error) => assert!(start.elapsed() < SOON, "{error}"),
            }
            thread::sleep(Duration::from_millis(50));
        };
        connection.write_all(stream).unwrap();
        drop(connection);

        loop {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            if log.contains("log_close") {
                return log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            }
            assert!(start.elapsed() < SOON, "{log}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Pmbmpd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.config);
        let _ = fs::remove_file(&self.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tshark_and_pmacct_read_the_stream_like_us() {
    if !requested() {
        return;
    }
    let stream = stream().await;
    let ours: Vec<_> = messages(&stream).iter().map(line).collect();
    let (theirs, complaints) = by_tshark(&stream);
    assert_eq!(complaints, [""; 0]);
    assert_eq!(theirs, ours);

    let log = Pmbmpd::start().read(&stream);
    let of_type =
        |kind: &str| log.iter().filter(|it| it["bmp_msg_type"] == kind).collect::<Vec<_>>();
    let counts = ["init", "peer_up", "peer_down", "term"].map(|kind| of_type(kind).len());
    assert_eq!(counts, [1, 2, 1, 1], "{log:#?}");
    assert_eq!(of_type("peer_down")[0]["reason_type"], 3);
    let first = of_type("route_monitor").into_iter().find(|it| it["ip_prefix"] == "10.1.0.0/16");
    let first = first.expect("the route");
    assert_eq!(first["as_path"], "4200000036");
    assert_eq!(first["comms"], "64635:7");
    let prefixes: Vec<_> = of_type("route_monitor").iter().map(|it| &it["ip_prefix"]).collect();
    for prefix in ["2001:db8::/32", "192.0.2.0/24", "198.51.100.0/24"] {
        assert!(prefixes.iter().any(|it| **it == prefix), "{prefix}: {prefixes:?}");
    }
}

/// bgpdump's lines for a file.
fn by_bgpdump(name: &str, octets: &[u8]) -> Vec<String> {
    let path = file(name);
    fs::write(&path, octets).unwrap();
    let output = Command::new("bgpdump").args(["-m", "-q"]).arg(&path).output();
    let output = output.expect("bgpdump, of the Debian package bgpdump, is installed");
    let _ = fs::remove_file(&path);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The fields of one of bgpdump's lines without its time.
fn without_time(line: &str) -> String {
    let fields = line.split('|').enumerate().filter(|(at, _)| *at != 1);
    fields.map(|(_, field)| field).collect::<Vec<_>>().join("|")
}

#[tokio::test(flavor = "multi_thread")]
async fn bgpdump_prints_the_routes_of_our_files() {
    if !requested() {
        return;
    }
    let World { router, at_router, at_node, _node } = world("127.0.17.3", "127.0.18.3").await;
    let mut dump = Vec::new();
    router.table_dump().write(&mut dump).unwrap();
    let lines: Vec<_> = by_bgpdump("table.mrt", &dump).iter().map(|it| without_time(it)).collect();
    let expected = [
        "TABLE_DUMP2|B|127.0.18.3|4200000036|10.1.0.0/16|4200000036|IGP|127.0.18.3|0|5|64635:7|NAG||",
        "TABLE_DUMP2|B|127.0.18.3|4200000036|2001:db8::/32|4200000036|IGP|2001:db8::1|0|0||NAG||",
    ];
    assert_eq!(lines, expected);

    let mut recorder = router.record_messages(1 << 20);
    let mut records = BytesMut::new();
    at_node.withdraw("10.1.0.0/16".parse::<IpNet>().unwrap()).await.unwrap();
    at_node.announce(route("10.2.0.0/16")).await.unwrap();
    at_router.announce(route("198.51.100.0/24")).await.unwrap();
    let has = |records: &[u8], prefix: &[u8]| records.windows(prefix.len()).any(|it| it == prefix);
    let complete = async {
        let wanted: [&[u8]; 3] = [&[16, 10, 1], &[16, 10, 2], &[24, 198, 51, 100]];
        while !wanted.iter().all(|prefix| has(&records, prefix)) {
            recorder.next(&mut records).await.unwrap().unwrap();
        }
    };
    tokio::time::timeout(SOON, complete).await.expect("all changes are recorded");
    router.shutdown("power").await;
    while let Some(recorded) = recorder.next(&mut records).await {
        recorded.unwrap();
    }

    let lines = by_bgpdump("messages.mrt", &records);
    let lines: Vec<_> = lines.iter().map(|it| without_time(it)).collect();
    for expected in [
        "BGP4MP_ET|W|127.0.18.3|4200000036|10.1.0.0/16",
        "BGP4MP_ET|A|127.0.18.3|4200000036|10.2.0.0/16|4200000036|IGP|127.0.18.3|0|0||NAG||",
        "BGP4MP_ET|STATE|127.0.18.3|4200000036|6|1",
    ] {
        assert!(lines.iter().any(|line| line == expected), "{expected}: {lines:#?}");
    }
}

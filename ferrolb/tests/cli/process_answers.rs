//! The answers of `ferrolb lab` and `ferrolb run` about themselves, over TCP and over the Unix socket.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::api::{LISTS, Place, SCHEMA, check, place};
use crate::run::{Router, manifests_for};
use crate::world::{Manifests, Process, ferrolb, printed, reference, text, wait_until};

/// Starts a lab that follows these manifests, at a free port and a socket beside them. Returns both places.
fn lab(dir: &Path, sockets: &Path) -> (Process, Place, Place) {
    let path = sockets.join("lab.sock");
    let process = Process::lab(dir, &["--http", "127.0.0.1:0", "--socket", path.to_str().unwrap()]);
    let line = process.error(|line| line.contains("watch this lab at http://"));
    (process, place(line.split("http://").nth(1).unwrap().trim_end_matches('/')), place(&path))
}

/// Starts the process of the node kube1 with a socket. Returns its places.
fn node(manifests: &Manifests, more: &[&str]) -> (Process, Place, PathBuf) {
    let (dir, state) = (manifests.path(), manifests.beside("kube1.json"));
    let path = manifests.beside("kube1.sock");
    let [dir, state, socket] = [&dir, &state, &path].map(|path| path.to_str().unwrap());
    let run = ["run", dir, "--node", "kube1", "--state-file", state, "--socket", socket];
    let process = Process::start(ferrolb(&[&run[..], more].concat()));
    let line = process.error(|line| line.contains("serving health checks and metrics"));
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
    (process, place(address), path)
}

/// Waits until all of this many sessions are up.
fn wait_for_sessions(place: &Place, sessions: u64) {
    wait_until("the sessions", || {
        let status = place.answer("/v1/status", "/v1/status");
        status["peers"]["established"] == json!(sessions)
    });
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let renew =
        "cargo run -p ferrolb-api --features schema --example schema > docs/api/v1.schema.json";
    let current = serde_json::to_value(ferrolb_api::schema()).unwrap();
    let published: Value = serde_json::from_str(SCHEMA).unwrap();
    assert_eq!(
        published, current,
        "docs/api/v1.schema.json is out of date, renew it with\n{renew}"
    );
}

#[test]
fn a_lab_answers_for_all_of_its_nodes_over_tcp_and_over_the_socket() {
    let directory = tempfile::tempdir().unwrap();
    let (_lab, tcp, unix) = lab(&reference(), directory.path());
    wait_for_sessions(&tcp, 3);

    for place in [&tcp, &unix] {
        let status = place.answer("/v1/status", "/v1/status");
        assert_eq!(status["program"], "lab");
        assert_eq!(status["peers"], json!({"expected": 3, "established": 3, "disabled": 0}));
        assert_eq!(status["services"], json!({"total": 3, "announced": 3, "pending": 0}));
        assert_eq!(status["prefixes"], json!({"planned": 7, "sent": 7, "unsendable": 0}));
        assert_eq!(status["configuration"]["state"], "valid");
        assert_eq!(status["problems"], json!([]));
        for (path, form) in LISTS {
            place.answer(path, form);
        }
    }

    let nodes = tcp.answer("/v1/nodes", "/v1/nodes");
    let names: Vec<_> = nodes["nodes"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["kube1", "kube2", "kube3"]);
    let peer = "/v1/peers/172.22.35.1%3A179";
    let several = tcp.error(peer, 400);
    assert!(several.contains("kube1, kube2, kube3"), "{several}");
    let detail = tcp.answer(&format!("{peer}?node=kube2"), "/v1/peers/NAME");
    assert_eq!(detail["detail"]["negotiated"]["remote_asn"], 64635);
    let opened = &detail["detail"]["open_received"]["capabilities"];
    assert!(opened.as_array().unwrap().iter().any(|it| it["shared"] == true), "{opened}");
    let timers: Vec<_> = detail["detail"]["timers"].as_array().unwrap().to_vec();
    assert!(timers.iter().any(|timer| timer["name"] == "HoldTimer"), "{timers:?}");
    assert!(timers.iter().all(|timer| timer["left_seconds"].as_f64().unwrap() <= 90.0));
}

#[test]
fn the_requests_on_the_page_about_the_api_work() {
    let directory = tempfile::tempdir().unwrap();
    let (_lab, tcp, unix) = lab(&reference(), directory.path());
    wait_for_sessions(&tcp, 3);
    let page = include_str!("../../../docs/api.md");
    let mut requests = 0;
    for line in page.lines().filter(|line| line.starts_with("curl ")) {
        let url = line.rsplit(' ').next().unwrap().trim_matches('\'');
        let asked = if line.contains("--unix-socket") { &unix } else { &tcp };
        let path = url.split_once("://").unwrap().1.split_once('/').unwrap().1;
        let response = asked.get(&format!("/{path}"));
        assert_eq!(response.status, 200, "{line}: {}", response.body);
        requests += 1;
    }
    assert!(requests > 8, "{requests}");
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let paths =
        schema["answers"].as_object().unwrap().keys().filter(|path| path.starts_with("/v1/"));
    for path in paths.filter(|path| !path.contains(' ')) {
        assert!(page.contains(&format!("| `{path}` |")), "docs/api.md has no {path}");
    }
}

#[test]
fn an_explanation_is_that_of_explain() {
    let directory = tempfile::tempdir().unwrap();
    let (_lab, tcp, _) = lab(&reference(), directory.path());
    wait_for_sessions(&tcp, 3);
    let Place::Tcp(address) = &tcp else { unreachable!() };
    for service in ["mail/smtp", "web/web"] {
        let path = format!("/v1/services/{service}");
        let answer = tcp.answer(&path, "/v1/services/NAMESPACE/NAME");
        let url = format!("http://{address}");
        let explained = ferrolb(&["explain", service, "--url", &url, "--output", "json"]).output();
        let explained: Value = serde_json::from_slice(&explained.unwrap().stdout).unwrap();
        assert_eq!(answer, explained);
        assert_eq!(answer["announced"], true, "{answer}");
    }
    assert_eq!(
        tcp.error("/v1/services/default/smtp", 404),
        "there is no Service default/smtp: expected one of mail/smtp"
    );
}

#[test]
fn a_page_of_routes_has_filters_and_the_owners_of_an_aggregate() {
    let manifests = Manifests::reference();
    let directory = tempfile::tempdir().unwrap();
    let (_lab, tcp, _) = lab(&manifests.path(), directory.path());
    wait_for_sessions(&tcp, 3);
    let routes = |query: &str| {
        let path = format!("/v1/peers/172.22.35.1:179/routes?node=kube2{query}");
        let page = tcp.answer(&path, "/v1/peers/NAME/routes");
        let prefixes: Vec<_> = page["routes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["prefix"].as_str().unwrap().to_owned())
            .collect();
        (prefixes, page)
    };

    let all = ["172.22.35.64/32", "172.22.35.70/32", "200.1.154.64/32"];
    wait_until("all routes to be sent", || {
        let (prefixes, page) = routes("");
        prefixes == all && page["routes"].as_array().unwrap().iter().all(|it| it["state"] == "sent")
    });
    let (_, page) = routes("");
    let smtp = &page["routes"][1];
    assert_eq!(smtp["services"], json!(["mail/smtp"]));
    assert_eq!((&smtp["next_hop"], &smtp["as_path"]), (&json!("172.22.35.26"), &json!("64636")));
    assert_eq!(
        (&smtp["origin"], &smtp["path_id"], &smtp["members"]),
        (&json!("IGP"), &json!(0), &json!([]))
    );

    // One route a page, until there is no next one.
    let mut found = Vec::new();
    let mut from = String::new();
    loop {
        let (mut prefixes, page) = routes(&format!("&limit=1{from}"));
        assert!(prefixes.len() <= 1);
        found.append(&mut prefixes);
        let Some(next) = page["next"].as_str() else { break };
        from = format!("&from={}", next.replace('#', "%23"));
    }
    assert_eq!(found, all);
    assert_eq!(routes("&prefix=172.22.0.0/16").0, all[..2]);
    assert_eq!(routes("&prefix=172.22.35.70").0, all[1..2]);
    assert_eq!(routes("&service=mail/smtp").0, all[1..2]);
    assert!(routes("&prefix=192.0.2.0/24").0.is_empty());

    manifests.replace("config.yaml", "aggregation-length: 32", "aggregation-length: 26");
    wait_until("the aggregate", || routes("").0.contains(&"172.22.35.64/26".to_owned()));
    let (_, page) = routes("&prefix=172.22.35.70");
    let aggregate = &page["routes"][0];
    assert_eq!(aggregate["prefix"], "172.22.35.64/26");
    assert_eq!(aggregate["services"], json!(["mail/smtp", "web/web"]));
    assert_eq!(aggregate["members"], json!(["172.22.35.64", "172.22.35.70"]));
}

#[test]
fn pages_of_services_and_of_a_pool_s_addresses_continue_where_the_last_one_ended() {
    let directory = tempfile::tempdir().unwrap();
    let (_lab, tcp, _) = lab(&reference(), directory.path());
    wait_for_sessions(&tcp, 3);

    let first = tcp.answer("/v1/services?limit=2", "/v1/services");
    let next = first["next"].as_str().unwrap();
    let second = tcp.answer(&format!("/v1/services?limit=2&from={next}"), "/v1/services");
    let names: Vec<_> = [&first, &second]
        .iter()
        .flat_map(|page| page["services"].as_array().unwrap())
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["smtp", "public-web", "web"]);
    assert!(second.get("next").is_none());
    let smtp = &first["services"][0];
    assert_eq!((&smtp["announced_by"], &smtp["nodes"]), (&json!(1), &json!(3)));
    assert_eq!(
        (&smtp["problem"]["gate"], &smtp["problem"]["needs_action"]),
        (&json!("endpoints"), &json!(false))
    );
    assert_eq!(tcp.answer("/v1/services?problems=true", "/v1/services")["services"], json!([]));

    let first = tcp.answer("/v1/pools/default?limit=1", "/v1/pools/NAME");
    assert_eq!(first["holders"], json!([{"address": "172.22.35.64", "services": ["web/web"]}]));
    let second = tcp.answer("/v1/pools/default?from=172.22.35.70", "/v1/pools/NAME");
    assert_eq!(second["holders"][0]["services"], json!(["mail/smtp"]));
    assert_eq!(first["ipv4"], json!({"total": "64", "in_use": 2, "free": "62"}));
}

#[test]
fn wrong_questions_get_errors_that_say_what_was_expected() {
    let directory = tempfile::tempdir().unwrap();
    let (_lab, tcp, _) = lab(&reference(), directory.path());
    for (path, status, expected) in [
        ("/v1/services?limit=0", 400, "limit=0: expected a number from 1 to 1000"),
        ("/v1/services?problems=yes", 400, "problems=yes: expected true or false"),
        ("/v1/services?from=web", 400, "from=web: expected NAMESPACE/NAME"),
        ("/v1/status?node=kube1", 400, "node=kube1: expected no parameters here"),
        ("/v1/peers/tor9", 404, "there is no peer \"tor9\": expected one of 172.22.35.1:179"),
        (
            "/v1/peers/tor9?node=kube9",
            404,
            "there is no node \"kube9\" here: expected one of kube1, kube2, kube3",
        ),
        ("/v1/peers/tor9/routes?prefix=x", 400, "prefix=x: expected a prefix or an IP address"),
        ("/v1/pools/x", 404, "there is no pool \"x\": expected one of default, public"),
        ("/v1/nothing", 404, "there is no path /v1/nothing"),
    ] {
        assert_eq!(tcp.error(path, status), expected, "{path}");
    }
}

#[test]
fn tcp_takes_no_foreign_host_and_nothing_but_reads() {
    let directory = tempfile::tempdir().unwrap();
    let (_lab, tcp, unix) = lab(&reference(), directory.path());
    for path in ["/v1/status", "/objects", "/v1/nothing"] {
        let refused = tcp.request(&format!("GET {path}"), &["Host: attacker.example"]);
        assert_eq!(refused.status, 403, "{path}: {}", refused.body);
        assert!(refused.body.contains("attacker.example"), "{}", refused.body);
    }
    for host in ["127.0.0.1:7472", "[::1]:7472", "localhost"] {
        assert_eq!(tcp.request("GET /v1/status", &[&format!("Host: {host}")]).status, 200);
    }
    assert_eq!(tcp.request("GET /livez", &["Host: ferrolb.ferrolb-system.svc"]).status, 200);
    assert_eq!(unix.request("GET /v1/status", &["Host: anything"]).status, 200);

    for request in
        ["POST /v1/peers/tor1/reset", "POST /v1/drain", "PUT /v1/log-level", "DELETE /v1/status"]
    {
        let refused = tcp.request(request, &["Host: localhost"]);
        assert_eq!(refused.status, 403, "{request}: {}", refused.body);
        assert!(refused.body.contains("Unix socket"), "{}", refused.body);
    }
    let answer = tcp.get("/v1/status");
    for header in [
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "content-type: application/json",
    ] {
        assert!(answer.head.contains(header), "{}", answer.head);
    }
}

#[test]
fn a_node_answers_about_its_session_and_reveals_no_password() {
    let router = Router::with(|peer| peer.password("sesame-of-tests"));
    let manifests = manifests_for(&router);
    manifests.replace(
        "config.yaml",
        "hold-time: 30s\n",
        "hold-time: 30s\n      password: sesame-of-tests\n",
    );
    let (mut process, tcp, path) =
        node(&manifests, &["--http", "127.0.0.1:0", "--log-level", "trace"]);
    let unix = place(&path);
    wait_for_sessions(&tcp, 1);
    let status = unix.answer("/v1/status", "/v1/status");
    assert_eq!((&status["program"], &status["node"]), (&json!("run"), &json!("kube1")));
    let name = format!("127.22.35.1:{}", router.address().port());
    let peer = tcp.answer(&format!("/v1/peers/{name}"), "/v1/peers/NAME");
    assert_eq!(peer["detail"]["has_password"], true);
    assert_eq!(peer["detail"]["endpoints"]["remote"], name);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    // The loss of the session is an error with its time, and a problem of the process.
    router.reset();
    wait_until("the last error", || {
        let peer = tcp.answer(&format!("/v1/peers/{name}"), "/v1/peers/NAME");
        peer["flaps"] == 1 && peer["last_error"]["at"].is_string()
    });
    manifests.replace("config.yaml", "my-asn: 64636", "my-asn: none");
    wait_until("the stale configuration", || {
        tcp.answer("/v1/status", "/v1/status")["configuration"]["state"] == "stale"
    });
    let status = tcp.answer("/v1/status", "/v1/status");
    let errors = status["configuration"]["errors"].to_string();
    assert!(errors.contains("config.yaml") && errors.contains("my-asn"), "{errors}");
    assert!(status["problems"].to_string().contains("an older configuration is in force"));

    let paths = [
        "/v1/status",
        &format!("/v1/peers/{name}"),
        &format!("/v1/peers/{name}/routes"),
        "/v1/services/mail/smtp",
        "/v1/pools/default",
        "/objects",
        "/metrics",
    ];
    let lists = LISTS.iter().map(|(path, _)| *path);
    for path in paths.into_iter().chain(lists) {
        let response = tcp.get(path);
        assert_eq!(response.status, 200, "{path}");
        assert!(!format!("{response:?}").contains("sesame"), "{path}: {response:?}");
    }

    let log = unix.answer("/v1/log", "/v1/log")["lines"].to_string();
    assert!(log.contains("session up") && log.contains("DEBUG"), "{log}");
    assert!(!log.contains("sesame"), "{log}");
    assert_eq!(tcp.get("/v1/log").status, 404, "only the socket has the log");

    process.signal("TERM");
    assert!(process.wait().success());
    assert!(!path.exists(), "the socket is removed at the end");
}

#[test]
fn a_router_that_cannot_be_reached_is_a_problem_with_a_hint() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let port = router.address().port();
    manifests.replace("config.yaml", &format!("peer-port: {port}"), "peer-port: 1");
    let (_process, tcp, _) = node(&manifests, &["--http", "127.0.0.1:0"]);
    wait_until("the reason", || {
        let problems = tcp.answer("/v1/status", "/v1/status")["problems"].to_string();
        problems.contains("refused the TCP connection")
            && problems.contains("listens at 127.22.35.1:1")
    });
    let services = tcp.answer("/v1/services?problems=true", "/v1/services");
    let services = services["services"].as_array().unwrap();
    assert_eq!(services.len(), 3, "{services:?}");
    for service in services {
        assert_eq!(
            (&service["state"], &service["problem"]["gate"]),
            (&json!("not_announced"), &json!("session"))
        );
    }
}

#[test]
fn the_socket_of_a_living_process_is_left_alone_and_that_of_a_dead_one_replaced() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let (process, _tcp, path) = node(&manifests, &["--http", "127.0.0.1:0"]);
    let (dir, socket_path) = (manifests.path(), path.to_str().unwrap());
    let second = ["run", dir.to_str().unwrap(), "--node", "kube1", "--state-file"];
    let state = manifests.beside("second.json");
    let arguments = [&second[..], &[state.to_str().unwrap(), "--socket", socket_path]].concat();
    let output = ferrolb(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("--socket") && error.contains("another process listens on"), "{error}");
    assert_eq!(place(&path).get("/livez").status, 200);

    // A killed process leaves its socket behind.
    process.signal("KILL");
    drop(process);
    assert!(path.exists());
    let (_process, _, path) = node(&manifests, &["--http", "127.0.0.1:0"]);
    assert_eq!(place(&path).get("/livez").status, 200);

    let file = manifests.beside("file");
    std::fs::write(&file, "precious").unwrap();
    let arguments =
        [&second[..], &[state.to_str().unwrap(), "--socket", file.to_str().unwrap()]].concat();
    let output = ferrolb(&arguments).output().unwrap();
    assert!(text(&output.stderr).contains("is no socket"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
}

#[test]
fn an_address_in_use_is_an_error_only_if_it_was_given() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let reference = reference();
    let arguments =
        ["lab", reference.to_str().unwrap(), "--once", "--port", "0", "--http", &address];
    let output = ferrolb(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains(&format!("cannot listen on {address} (--http)")));

    let wrong = ferrolb(&["lab", "x", "--http", "here"]).output().unwrap();
    assert!(text(&wrong.stderr).contains("such as 127.0.0.1:7472, or off"));
    // Without HTTP and socket it works as before.
    printed(&["lab", reference.to_str().unwrap(), "--once", "--port", "0"]);
}

#[test]
fn the_bodies_of_requests_have_the_published_form() {
    use ferrolb_api::action::{DrainRequest, LogLevel, PeerAction, Refresh};

    let message = Some("maintenance".to_owned());
    let action = PeerAction { node: None, message: message.clone() };
    check("requests", "/v1/peers/NAME/reset, disable and enable", &json!(action));
    check("requests", "/v1/peers/NAME/refresh", &json!(Refresh::default()));
    check("requests", "/v1/log-level", &json!(LogLevel { filter: Some("debug".to_owned()) }));
    check("requests", "/v1/drain", &json!(DrainRequest { message }));
}

//! The view on a terminal of 80 columns, and its keys.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};

use super::answers::Opened;
use super::app::{App, Open, Tab};
use super::screen::draw;

/// A view with the answers of a process that has problems.
fn app() -> App {
    let mut app = App::new(false);
    app.answers.status = Some(from(json!({
        "time": "2026-11-30T12:00:00Z", "program": "run", "version": "0.1.0", "node": "kube1",
        "started_at": "2026-11-29T09:00:00Z",
        "problems": [
            {"severity": "error", "subject": "peer tor2", "text": "connection refused"},
            {"severity": "warning", "subject": "service default/web", "text": "no pool has a free address"},
        ],
        "configuration": {"state": "valid", "source": "manifests", "errors": []},
        "peers": {"expected": 2, "established": 1, "disabled": 0},
        "bfd": {"expected": 1, "up": 1},
        "prefixes": {"planned": 4, "sent": 2, "unsendable": 0},
        "services": {"total": 3, "announced": 2, "pending": 1},
        "drain": {"stage": "serving"}, "watches": [], "log_level": "info",
    })));
    app.answers.peers = vec![
        from(peer("tor1", "Established", None)),
        from(peer("tor2", "Connect", Some("connection refused"))),
    ];
    app.answers.services = vec![
        from(json!({"namespace": "mail", "name": "smtp", "state": "announced",
            "addresses": ["172.22.35.70"], "pool": "default", "announced_by": 1, "nodes": 1})),
        from(json!({"namespace": "default", "name": "web", "state": "pending", "addresses": [],
            "announced_by": 0, "nodes": 1, "problem": {"gate": "pool",
                "reason": "no pool has a free address", "needs_action": true}})),
    ];
    app.answers.routes =
        vec![from(json!({"prefix": "172.22.35.70/32", "path_id": 0, "state": "sent",
        "state_text": "sent", "age_seconds": 3700, "next_hop": "172.22.35.25", "origin": "IGP",
        "as_path": "64636", "med": 20, "communities": ["64636:100"], "large_communities": [],
        "extended_communities": [], "other_attributes": [], "services": ["mail/smtp"],
        "members": []}))];
    app.answers.pools = vec![from(json!({"name": "default", "addresses": ["172.22.35.64/26"],
        "auto_assign": true, "ipv4": {"total": "64", "in_use": 16, "free": "48"},
        "ipv6": {"total": "0", "in_use": 0, "free": "0"}, "services": 17}))];
    app.answers.events = vec![
        from(event(1, "session_up", "info", "the session is up")),
        from(event(2, "session_down", "error", "the session ended: hold timer expired")),
    ];
    app
}

fn peer(name: &str, state: &str, error: Option<&str>) -> Value {
    let mut peer = json!({"node": "kube1", "name": name, "endpoint": "172.22.35.1:179",
        "asn": 64635, "local_asn": 64636, "state": state, "disabled": false,
        "state_seconds": 97_200.0, "families": [], "received": 0, "flaps": 0,
        "prefixes": {"planned": 2, "sent": 2, "unsendable": 0}});
    if let Some(error) = error {
        peer["last_error"] = json!({"text": error});
        peer["prefixes"]["sent"] = json!(0);
    }
    peer
}

fn event(id: u64, kind: &str, severity: &str, text: &str) -> Value {
    json!({"id": id, "time": "2026-11-30T11:59:00Z", "kind": kind, "severity": severity,
        "node": "kube1", "peer": "tor1", "text": text})
}

fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn screen(app: &App, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, app)).unwrap();
    let text = terminal.backend().to_string();
    let lines = text.lines().map(|line| line.trim_matches('"').trim_end());
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

fn press(app: &mut App, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            '\t' => KeyCode::Tab,
            other => KeyCode::Char(other),
        };
        app.press(KeyEvent::new(code, KeyModifiers::NONE));
    }
}

#[test]
fn every_list_fits_a_terminal_of_80_columns() {
    let mut app = app();
    insta::assert_snapshot!("peers", screen(&app, 80, 14));
    press(&mut app, "2");
    insta::assert_snapshot!("services", screen(&app, 80, 14));
    press(&mut app, "3");
    insta::assert_snapshot!("routes", screen(&app, 80, 14));
    press(&mut app, "4");
    insta::assert_snapshot!("pools", screen(&app, 80, 14));
    press(&mut app, "6");
    insta::assert_snapshot!("events", screen(&app, 80, 14));
}

#[test]
fn a_filter_keeps_the_rows_that_contain_it() {
    let mut app = app();
    press(&mut app, "/REFUSED\n");
    let shown = screen(&app, 80, 14);
    assert!(shown.contains("> kube1 tor2") && !shown.contains("tor1 "), "{shown}");

    press(&mut app, "/x\n");
    assert!(screen(&app, 80, 14).contains("nothing matches the filter"));
    press(&mut app, "\u{1b}");
    assert!(screen(&app, 80, 14).contains("tor1"));
}

#[test]
fn only_problems_are_shown_on_request() {
    let mut app = app();
    press(&mut app, "p2");
    let shown = screen(&app, 80, 14);
    assert!(shown.contains("> default/web") && !shown.contains("mail/smtp"), "{shown}");
    assert!(app.wish().only_problems);
}

#[test]
fn the_cursor_stays_on_a_row() {
    let mut app = app();
    press(&mut app, "jjjjk");
    assert_eq!(app.selected, 0);
    press(&mut app, "G");
    assert_eq!(app.selected, 1);
    app.answers.peers.truncate(1);
    app.note(None);
    assert_eq!(app.selected, 0);
}

#[test]
fn enter_opens_the_path_of_a_service() {
    let mut app = app();
    press(&mut app, "2");
    app.takes_new_wish();
    press(&mut app, "\n");
    let open = Open::Service { namespace: "mail".to_owned(), name: "smtp".to_owned() };
    assert!(app.takes_new_wish());
    assert_eq!(app.wish().open, Some(open));

    let gate = |gate: &str, passed: Option<bool>, found: &str| json!({"gate": gate, "passed": passed, "found": found});
    let mut session = gate("session", Some(false), "the session with 172.22.35.1:179 is down");
    session["mend"] = json!("start the router");
    app.answers.opened = Some(Opened::Service(Box::new(from(json!({
        "service": "mail/smtp", "addresses": ["172.22.35.70"], "pool": "default", "complaints": [],
        "announced": false, "summary": "announced by 0 of 1 nodes",
        "nodes": [{"node": "kube1", "announced": false,
            "gates": [gate("type", Some(true), "LoadBalancer")],
            "peers": [{"peer": "172.22.35.1:179", "routes": [],
                "gates": [session, gate("sent", None, "")]}]}],
    })))));
    insta::assert_snapshot!("service", screen(&app, 80, 18));

    press(&mut app, "\u{1b}");
    assert_eq!(app.wish().open, None);
    assert_eq!(app.tab, Tab::Services);
}

#[test]
fn r_shows_the_routes_of_the_selected_peer() {
    let mut app = app();
    press(&mut app, "jr");
    let wish = app.wish();
    assert_eq!(wish.tab, Tab::Routes);
    assert_eq!(wish.routes_of, Some(("kube1".to_owned(), "tor2".to_owned())));
}

#[test]
fn a_process_that_is_gone_leaves_its_last_answers_on_the_screen() {
    let mut app = app();
    app.note(Some("no response from /run/ferrolb/kube1.sock".to_owned()));
    let shown = screen(&app, 100, 14);
    assert!(shown.contains("tor1") && shown.contains("the process does not answer: no response"));
    app.note(None);
    assert!(!screen(&app, 100, 14).contains("does not answer"));
}

#[test]
fn any_terminal_is_large_enough() {
    let mut app = app();
    for keys in ["", "?", "?2\n"] {
        press(&mut app, keys);
        for (width, height) in [(1, 1), (3, 2), (20, 5), (400, 100)] {
            screen(&app, width, height);
        }
    }
}

#[test]
fn control_c_and_q_leave() {
    let mut app = app();
    press(&mut app, "/q\u{1b}");
    assert!(!app.is_over());
    press(&mut app, "q");
    assert!(app.is_over());

    let mut app = App::new(false);
    app.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert!(app.is_over());
}

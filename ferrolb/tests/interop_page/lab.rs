//! The page of `ferrolb lab`: the reference cluster, whose files change while the page is open.

use crate::web_driver::Key;
use serde_json::json;
use test_peers::requested;

use crate::browser::{Browser, DARK, LIGHT, Look, PHONE};
use crate::world::{Manifests, Process, ferrolb};
use crate::{address_in, picture};

/// Starts the lab for the reference example, and returns the address that it prints.
fn start(manifests: &Manifests) -> (Process, String) {
    let arguments = ["lab", "manifests", "--port", "0", "--follow", "--http", "127.0.0.1:0"];
    let mut lab = ferrolb(&arguments);
    lab.current_dir(manifests.path().parent().unwrap());
    let lab = Process::start(lab);
    let address = address_in(&lab.error(|line| line.contains("http://")));
    (lab, address)
}

/// A lab for the reference example, and its page in a window.
struct Open {
    manifests: Manifests,
    lab: Process,
    address: String,
    browser: Browser,
}

impl Open {
    /// Opens the view with this hash, as a link to it does.
    async fn at(hash: &str) -> Self {
        let manifests = Manifests::reference();
        let (lab, address) = start(&manifests);
        let browser = Browser::start().await;
        browser.look(LIGHT).await;
        browser.open(&format!("{address}/{hash}")).await;
        Self { manifests, lab, address, browser }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_sees_the_cluster_and_a_route_that_moves() {
    if !requested() {
        return;
    }
    let Open { manifests, lab, address, browser } = Open::at("").await;

    let established = "document.querySelectorAll('.matrix .cell-ok').length === 3";
    browser.wait("three sessions", established).await;
    let header: String =
        browser.eval("return document.getElementById('process').innerText;", vec![]).await;
    assert!(header.contains("lab") && header.contains(env!("CARGO_PKG_VERSION")), "{header}");
    let overview = browser.text().await;
    for text in ["kube1", "kube2", "kube3", "172.22.35.1", "Valid"] {
        assert!(overview.contains(text), "{text} is not in {overview}");
    }
    picture(&browser, LIGHT, "page-overview.png").await;
    picture(&browser, PHONE, "page-phone.png").await;
    browser.look(LIGHT).await;

    // The pod of mail/smtp moves from kube2 to kube3, and so does the only route to it.
    browser.view("#/service/mail/smtp").await;
    let announced = |node: &str| {
        format!(
            "[...document.querySelectorAll('.path h2')].some((one) => one.innerText.startsWith('{node}') && one.innerText.includes('announced to 1 router'))"
        )
    };
    browser.wait("the route of kube2", &announced("kube2")).await;
    picture(&browser, DARK, "page-service-dark.png").await;
    browser.look(LIGHT).await;
    manifests.replace("endpoints.yaml", "nodeName: kube2", "nodeName: kube3");
    browser.wait("the route of kube3", &announced("kube3")).await;

    // A faulty file is named, and what works goes on.
    browser.view("#/").await;
    manifests.replace("config.yaml", "172.22.35.64/26", "172.22.35.64/99");
    browser.wait_for_text("config.yaml:").await;
    browser.wait("three sessions", established).await;
    let title: String = browser.eval("return document.title;", vec![]).await;
    assert!(title.starts_with('('), "the title counts the problems: {title}");

    browser.assert_no_errors().await;
    browser.assert_only_asks(&address).await;
    browser.end().await;
    drop(lab);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_explained_gate_by_gate_and_lists_are_filtered() {
    if !requested() {
        return;
    }
    let Open { manifests: _manifests, lab, address, browser } =
        Open::at("#/service/mail/smtp").await;
    browser.wait_for_text("announced by 1 of 3 nodes").await;
    let closed: Vec<String> = browser
        .eval(
            "return [...document.querySelectorAll('.gate-closed')].map((gate) => gate.innerText);",
            vec![],
        )
        .await;
    assert_eq!(closed.len(), 1, "two nodes are alike, and the third announces it: {closed:?}");
    assert!(closed[0].contains("externalTrafficPolicy is Local"), "{closed:?}");
    let symbols: u32 = browser
        .eval("return document.querySelectorAll('.gate-closed .symbol-bad').length;", vec![])
        .await;
    assert_eq!(symbols, 1, "colour is not the only mark");

    browser.view("#/services").await;
    browser.wait("all Services", "document.querySelectorAll('tbody tr').length === 3").await;
    browser.type_into("input[name=text]", "smtp").await;
    browser.wait("one Service", "document.querySelectorAll('tbody tr').length === 1").await;
    let hash: String = browser.eval("return location.hash;", vec![]).await;
    assert_eq!(hash, "#/services?text=smtp", "a filter is part of the address");
    browser.press(Key::Escape).await;
    browser.wait("all Services", "document.querySelectorAll('tbody tr').length === 3").await;

    browser.view("#/routes?node=kube2&peer=172.22.35.1:179").await;
    browser.wait("all routes", "document.querySelectorAll('tbody tr').length === 3").await;
    browser.type_into("input[name=prefix]", "172.22.35.70").await;
    browser.press(Key::Enter).await;
    browser.wait("one route", "document.querySelectorAll('tbody tr').length === 1").await;
    let row = browser.text().await;
    assert!(row.contains("172.22.35.70/32") && row.contains("mail/smtp"), "{row}");
    browser.view("#/routes?node=kube2&peer=172.22.35.1:179&service=web/web").await;
    browser.wait_for_text("172.22.35.64/32").await;
    browser.view("#/routes?node=kube2&peer=172.22.35.1:179&prefix=nonsense").await;
    browser.wait("an error", "document.querySelector('main [role=alert]')").await;
    let error = browser.text().await;
    assert!(error.contains("nonsense"), "{error}");

    browser.assert_only_asks(&address).await;
    browser.end().await;
    drop(lab);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_is_accessible_in_light_and_dark_on_a_phone_and_by_keyboard() {
    if !requested() {
        return;
    }
    let Open { manifests: _manifests, lab, address, browser } = Open::at("").await;
    browser.wait_for_text("Established").await;

    let views = [
        "#/",
        "#/sessions",
        "#/peer/kube1/172.22.35.1:179",
        "#/routes",
        "#/services",
        "#/service/mail/smtp",
        "#/pools",
        "#/pool/default",
        "#/events",
    ];
    for look in [LIGHT, DARK, PHONE] {
        browser.look(look).await;
        for hash in views {
            visit(&browser, hash, look).await;
        }
    }

    keyboard(&browser, &address).await;
    browser.assert_no_errors().await;
    browser.assert_only_asks(&address).await;
    browser.end().await;
    drop(lab);
}

async fn visit(browser: &Browser, hash: &str, look: Look) {
    browser.view(hash).await;
    browser
        .wait(
            "the view",
            "document.querySelector('main h1') && !document.querySelector('main .loading')",
        )
        .await;
    let heading: String =
        browser.eval("return document.activeElement.tagName;", vec![json!(null)]).await;
    assert!(["H1", "BODY"].contains(&heading.as_str()), "{hash}: the focus is on {heading}");
    browser.assert_accessible(&format!("{hash}, {}", look.name)).await;
}

/// The skip link is the first stop, Enter goes on, Escape goes back to the list.
async fn keyboard(browser: &Browser, address: &str) {
    browser.open("about:blank").await;
    browser.open(&format!("{address}/#/service/mail/smtp")).await;
    browser.wait_for_text("announced by").await;
    browser.press(Key::Tab).await;
    let first: String = browser.eval("return document.activeElement.className;", vec![]).await;
    assert_eq!(first, "skip");
    let visible: bool = browser
        .eval("return document.activeElement.getBoundingClientRect().top >= 0;", vec![])
        .await;
    assert!(visible, "the skip link shows itself when it has the focus");
    browser.press(Key::Enter).await;
    let main: String = browser.eval("return document.activeElement.id;", vec![]).await;
    assert_eq!(main, "main");

    browser.press(Key::Escape).await;
    browser.wait("the list", "location.hash === '#/services'").await;
    browser.wait("focus on the heading", "document.activeElement.tagName === 'H1'").await;
    browser.press(Key::Tab).await;
    let outline: String =
        browser.eval("return getComputedStyle(document.activeElement).outlineStyle;", vec![]).await;
    assert_eq!(outline, "solid", "the focus is visible");
}

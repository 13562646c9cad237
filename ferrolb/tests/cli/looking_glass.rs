//! The paths of birdwatcher, which looking glasses read, at a running `ferrolb run`.

use serde_json::{Value, json};

use crate::ask::{get, start};
use crate::run::{Router, manifests_for};
use crate::world::wait_until;

/// Returns the status and the answer at a path.
fn answer(url: &str, path: &str) -> (String, Value) {
    let response = get(url, path);
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().to_owned();
    (
        status,
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {response}")),
    )
}

fn networks(url: &str, path: &str) -> Vec<String> {
    let (status, answer) = answer(url, path);
    assert_eq!(status, "200", "{path}: {answer}");
    assert!(answer["api"]["Version"].is_string(), "{path}: {answer}");
    let routes = answer["routes"].as_array().unwrap();
    routes.iter().map(|route| route["network"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_looking_glass_finds_the_peers_and_what_they_were_told() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let (_process, url) = start(&manifests);
    wait_until("the table", || router.has_all());

    let name = format!("127.22.35.1:{}", router.address().port());
    let (_, protocols) = answer(&url, "/protocols/bgp");
    let protocol = &protocols["protocols"][&name];
    assert_eq!(protocol["state"], "up", "{protocols}");
    assert_eq!(protocol["neighbor_address"], "127.22.35.1");
    assert_eq!(protocol["neighbor_as"], 64635);
    let (_, short) = answer(&url, "/protocols/short?uncached=true");
    assert_eq!(short["protocols"][&name]["state"], "up", "{short}");
    let (_, status) = answer(&url, "/status");
    assert_eq!(status["status"]["router_id"], "127.22.35.25");

    let all = ["172.22.35.64/32", "172.22.35.70/32", "200.1.154.64/32"];
    wait_until("all routes as sent", || {
        networks(&url, &format!("/routes/export/{name}")).len() == all.len()
    });
    assert_eq!(networks(&url, &format!("/routes/export/{name}")), all);
    assert_eq!(networks(&url, "/routes/table/master"), all);
    assert_eq!(networks(&url, "/routes/table/master4"), all);
    let none: [&str; 0] = [];
    assert_eq!(networks(&url, "/routes/table/master6"), none);
    assert_eq!(networks(&url, "/routes/prefix?prefix=172.22.35.70"), ["172.22.35.70/32"]);
    assert_eq!(networks(&url, &format!("/routes/noexport/{name}")), none);
    for path in ["protocol", "filtered"] {
        assert_eq!(networks(&url, &format!("/routes/{path}/{name}")), none, "none is kept");
    }
    assert_eq!(answer(&url, &format!("/routes/count/protocol/{name}")).1["routes"], 0);

    for (path, code, error) in [
        ("/routes/export/tor9", "404", format!("there is no protocol tor9: expected {name}")),
        ("/routes/table/T1", "404", "expected master, master4 or master6".to_owned()),
        ("/routes/prefix", "400", "there is no prefix: expected prefix=PREFIX".to_owned()),
        ("/routes/prefix?prefix=x", "400", "prefix=x: expected".to_owned()),
    ] {
        let (status, answer) = answer(&url, path);
        assert_eq!(status, code, "{path}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(&error), "{path}: {answer}");
    }

    // Without its session, the router lacks all of them.
    drop(router);
    wait_until("a lost session", || {
        answer(&url, "/protocols/bgp").1["protocols"][&name]["state"] == "start"
    });
    let (_, missing) = answer(&url, &format!("/routes/noexport/{name}"));
    let missing = missing["routes"].as_array().unwrap();
    assert_eq!(missing.len(), all.len(), "{missing:?}");
    assert!(missing.iter().all(|route| route["primary"] == json!(false)), "{missing:?}");
    assert!(missing[0]["state"].as_str().unwrap().contains("session"), "{missing:?}");
    assert_eq!(networks(&url, "/routes/table/master"), none);
}

//! `diff` of renamed peers, whose sessions stay up.

use std::process::Output;

use crate::world::{Manifests, ferrolb, reference, text};

fn run(arguments: &[&str]) -> Output {
    let output = ferrolb(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    output
}

#[test]
fn migrating_a_config_map_to_resources_resets_no_session() {
    let old = reference();
    let config = old.join("config.yaml");
    let new = Manifests::reference();
    let resources = run(&["migrate", config.to_str().unwrap()]).stdout;
    new.write("config.yaml", &text(&resources));

    let paths = [&old, &new.path()].map(|path| path.to_str().unwrap().to_owned());
    let diff = text(&run(&["diff", &paths[0], &paths[1]]).stdout);
    let (renamed, rest): (Vec<_>, Vec<_>) =
        diff.lines().partition(|line| line.contains(": the peer is renamed to "));
    assert_eq!(rest, ["session resets: none"], "{diff}");
    assert!(!renamed.is_empty(), "a ConfigMap names no peer: {diff}");
}

#[test]
fn a_renamed_peer_is_one_line_of_text_and_one_row_of_json() {
    let [old, new] = ["rack", "top-of-rack"].map(|name| {
        Manifests::of(&format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: kube1}}\nstatus: {{addresses: [{{type: \
             InternalIP, address: 192.0.2.25}}]}}\n---\napiVersion: metallb.io/v1beta2\nkind: BGPPeer\n\
             metadata: {{name: {name}, namespace: metallb-system}}\nspec: {{myASN: 64636, peerASN: 64635, \
             peerAddress: 192.0.2.1}}\n"
        ))
    });
    let paths = [&old, &new].map(|it| it.path().to_str().unwrap().to_owned());
    let diff = text(&run(&["diff", &paths[0], &paths[1]]).stdout);
    assert_eq!(
        diff,
        "session kube1 with rack: the peer is renamed to top-of-rack\nsession resets: none\n"
    );

    let rows = text(&run(&["diff", &paths[0], &paths[1], "-o", "json"]).stdout);
    let row = r#"[{"change":"peer-renamed","peer":"rack","nodes":["kube1"],"name":"top-of-rack"}]"#;
    assert_eq!(rows.trim_end(), row);
}

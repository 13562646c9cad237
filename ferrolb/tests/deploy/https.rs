//! The HTTP port as HTTPS: the name by which clients call it, and the paths that the role of a reader allows.

use serde_json::Value;

use crate::documents::{documents, files, parse, text};

const ROLES: &str = "deploy/kustomize/components/https/rbac.yaml";
/// The modules of the server, apart from the page.
const SERVER: &str = "ferrolb-node/src/http";
/// The paths that need no token.
const HEALTH_CHECKS: [&str; 3] = ["/livez", "/healthz", "/readyz"];

/// The text between this and the next quotation mark, at each place.
fn quoted_after<'a>(text: &'a str, begin: &str) -> Vec<&'a str> {
    text.split(begin).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// Every path that can be read, with `x` for each parameter.
fn paths() -> Vec<String> {
    let mut paths = Vec::new();
    for file in files(SERVER, ".rs") {
        let code = text(&file);
        for line in code.lines().filter(|line| line.contains(", get(")) {
            paths.extend(quoted_after(line, ".route(\"").into_iter().map(str::to_owned));
        }
    }
    let page = text("ferrolb-node/src/page/mod.rs");
    paths.extend(quoted_after(&page, "asset!(\"").into_iter().map(str::to_owned));
    paths.retain(|path| !HEALTH_CHECKS.contains(&path.as_str()));
    for path in &mut paths {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
        *path = parts.collect::<Vec<_>>().join("/");
    }
    paths
}

/// Returns true if a rule with this URL allows the path, as RBAC compares them.
fn is_match(url: &str, path: &str) -> bool {
    url == path || url.strip_suffix('*').is_some_and(|prefix| path.starts_with(prefix))
}

/// The URLs of the role for people.
fn viewer() -> Vec<String> {
    let roles = documents(ROLES);
    let role = roles.iter().find(|it| it["metadata"]["name"] == "ferrolb-http-viewer").unwrap();
    let rules = role["rules"].as_array().unwrap().iter();
    let urls = rules.flat_map(|rule| {
        assert_eq!(rule["verbs"], serde_json::json!(["get"]));
        rule["nonResourceURLs"].as_array().unwrap()
    });
    urls.map(|url| url.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_viewer_may_read_every_path_and_nothing_that_does_not_exist() {
    let (urls, paths) = (viewer(), paths());
    for known in ["/", "/page/main.js", "/metrics", "/v1/events", "/v1/peers/x", "/routes/prefix"] {
        assert!(paths.iter().any(|path| path == known), "{known} is not among {paths:?}");
    }
    for path in &paths {
        assert!(urls.iter().any(|url| is_match(url, path)), "{path} is not allowed");
    }
    for url in &urls {
        assert!(paths.iter().any(|path| is_match(url, path)), "{url} allows no path");
    }
}

#[test]
fn the_page_names_every_path_of_a_viewer() {
    let page = text("docs/security.md");
    let row = page.lines().find(|line| line.starts_with("| `ferrolb-http-viewer`")).unwrap();
    for url in viewer() {
        assert!(row.contains(&format!("`{url}`")), "{url}");
    }
}

/// A client that verifies the certificate calls the port by its name, which the guard of the port refuses unless it is allowed.
#[test]
fn the_name_of_the_certificate_is_allowed() {
    let page = text("docs/security.md");
    let certificate = page.split("```yaml\n").find(|block| block.contains("kind: Certificate"));
    let certificate: Value =
        parse(certificate.unwrap().split("```").next().unwrap()).unwrap().remove(0);
    let name = certificate["spec"]["dnsNames"][0].as_str().unwrap();
    assert!(page.contains(&format!(" https://{name}:7472/v1/status")), "the command calls it");

    let component = text("deploy/kustomize/components/https/kustomization.yaml");
    let variable = format!("- {{name: FERROLB_ALLOW_HOST, value: {name}}}\n");
    assert_eq!(component.matches(&variable).count(), 2);
    assert_eq!(component.matches(&format!("serverName: {name},")).count(), 1);
    for program in ["controller", "speaker"] {
        let template = text(&format!("deploy/charts/ferrolb/templates/{program}.yaml"));
        let argument = format!(
            "--tls-private-key-file=/etc/ferrolb/tls/tls.key\n            - --allow-host={name}\n"
        );
        assert_eq!(template.matches(&argument).count(), 1, "{program}");
    }
}

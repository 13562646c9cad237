//! The overlays and components as built by kustomize, if `kubectl` is installed, which includes it.

use std::process::Command;

use serde_json::{Value, json};

use crate::documents::{documents, parse, root, text};

/// Builds the objects of a folder in the repository. Returns `None` if `kubectl` is not installed.
fn build(folder: &str) -> Option<Vec<Value>> {
    let output = Command::new("kubectl").arg("kustomize").arg(root().join(folder)).output().ok()?;
    let stderr = String::from_utf8(output.stderr).unwrap();
    // This `kubectl` is too old, or a stub.
    if stderr.contains("unknown command") {
        return None;
    }
    assert!(output.status.success() && stderr.is_empty(), "{folder}: {stderr}");
    Some(parse(&String::from_utf8(output.stdout).unwrap()).unwrap())
}

fn sorted(mut objects: Vec<Value>) -> Vec<Value> {
    let name = |it: &Value| format!("{}/{}", it["kind"], it["metadata"]["name"]);
    objects.sort_by_key(name);
    objects
}

/// Builds the overlay with these components, as in docs/kubernetes.md.
pub(crate) fn build_with(components: &[&str]) -> Option<Vec<Value>> {
    let folder = tempfile::tempdir_in(root().join("deploy")).unwrap();
    let components: Vec<_> =
        components.iter().map(|name| format!("../kustomize/components/{name}")).collect();
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "namespace": "ferrolb-system", "resources": ["../kustomize/overlays/ferrolb-system"],
        "components": components,
        "images": [{"name": "ferrolb/ferrolb", "newName": "example/ferrolb"}],
    });
    std::fs::write(folder.path().join("kustomization.yaml"), kustomization.to_string()).unwrap();
    build(folder.path().strip_prefix(root()).unwrap().to_str().unwrap())
}

#[test]
fn the_overlays_build_the_manifests() {
    for namespace in ["ferrolb-system", "metallb-system"] {
        let Some(built) = build(&format!("deploy/kustomize/overlays/{namespace}")) else { return };
        let (built, written) =
            (sorted(built), sorted(documents(&format!("deploy/manifests/{namespace}.yaml"))));
        assert_eq!(built.len(), written.len());
        for (built, written) in built.iter().zip(&written) {
            assert_eq!(built, written, "{namespace}: {}", written["metadata"]["name"]);
        }
    }
}

#[test]
fn each_component_changes_its_fields() {
    let Some(built) = build_with(&["monitoring", "unnumbered", "https"]) else { return };
    let of = |kind: &str| {
        let found = built.iter().find(|it| it["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {kind}"))
    };

    for kind in ["PodMonitor", "PrometheusRule", "ConfigMap"] {
        assert_eq!(of(kind)["metadata"]["namespace"], "ferrolb-system", "{kind}");
    }
    assert_eq!(of("ConfigMap")["metadata"]["labels"]["grafana_dashboard"], "1");

    let board = of("ConfigMap")["data"]["ferrolb.json"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(board).unwrap()["title"], "FerroLB");
    let pod = &of("DaemonSet")["spec"]["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsUser"], 0);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");

    let container = &pod["containers"][0];
    assert_eq!(container["image"], json!(format!("example/ferrolb:{}", env!("CARGO_PKG_VERSION"))));
    assert_eq!(container["args"][0], "speaker");
    let context = &container["securityContext"];
    assert_eq!(context["capabilities"], json!({"drop": ["ALL"], "add": ["NET_RAW"]}));
    assert_eq!(context["readOnlyRootFilesystem"], true);
    assert_eq!(of("Deployment")["spec"]["template"]["spec"]["securityContext"]["runAsUser"], 65534);

    for kind in ["Deployment", "DaemonSet"] {
        let pod = &of(kind)["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        for (probe, path) in [("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
            let expected = json!({"path": path, "port": "http", "scheme": "HTTPS"});
            assert_eq!(container[probe]["httpGet"], expected, "{kind}");
        }
        let volumes = json!([{"name": "tls", "secret": {"secretName": "ferrolb-https"}},
            {"name": "run", "emptyDir": {}}]);
        assert_eq!(pod["volumes"], volumes, "{kind}");
        let value = |name: &str| {
            let variables = container["env"].as_array().unwrap().iter();
            let mut of_name = variables.filter(|variable| variable["name"] == name);
            of_name.next().unwrap_or_else(|| panic!("{kind}: {name}"))["value"].clone()
        };
        assert_eq!(value("FERROLB_HTTP_AUTH"), "kubernetes");
        assert_eq!(value("FERROLB_ALLOW_HOST"), "ferrolb");
        let folder = &container["volumeMounts"][0]["mountPath"];
        for variable in ["FERROLB_TLS_CERT_FILE", "FERROLB_TLS_PRIVATE_KEY_FILE"] {
            let file = value(variable);
            assert!(file.as_str().unwrap().starts_with(folder.as_str().unwrap()), "{file}");
        }
    }
    let endpoint = &of("PodMonitor")["spec"]["podMetricsEndpoints"][0];
    assert_eq!(endpoint["scheme"], "https");
    assert_eq!(endpoint["authorization"]["credentials"]["name"], "ferrolb-metrics-reader");
}

/// The overlay of docs/migrating-from-metallb.md, with the patches for a ConfigMap of another name.
#[test]
fn the_migration_overlay_builds() {
    let page = text("docs/migrating-from-metallb.md");
    let block = |begin: &str| {
        let (_, rest) = page.split_once(&format!("```yaml\n{begin}")).unwrap();
        format!("{begin}{}", rest.split_once("```").unwrap().0)
    };

    let overlay = block("apiVersion: kustomize").replace("../ferrolb/deploy/", "../");
    let folder = tempfile::tempdir_in(root().join("deploy")).unwrap();
    let text = overlay + &block("patches:");
    std::fs::write(folder.path().join("kustomization.yaml"), text).unwrap();
    let path = folder.path().strip_prefix(root()).unwrap().to_str().unwrap();

    let Some(built) = build(path) else { return };
    for (kind, program) in [("Deployment", "controller"), ("DaemonSet", "speaker")] {
        let object = built.iter().find(|it| it["kind"] == kind).unwrap();
        assert_eq!(object["metadata"]["namespace"], "metallb-system", "{kind}");
        let container = &object["spec"]["template"]["spec"]["containers"][0];
        let image = format!("YOUR/ferrolb:{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(container["image"], json!(image), "{kind}");
        let arguments = container["args"].as_array().unwrap();
        assert_eq!(arguments.first(), Some(&json!(program)), "{kind}");
        assert_eq!(arguments.last(), Some(&json!("--config=metallb")), "{kind}");
    }
}

/// The patches of docs/security.md, for a seccomp profile and for the names of Secrets.
#[test]
fn the_patches_of_the_security_page_build() {
    let page = text("docs/security.md");
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let patches: Vec<_> = blocks.filter_map(|block| block.strip_prefix("patches:\n")).collect();
    assert_eq!(patches.len(), 2);
    let folder = tempfile::tempdir_in(root().join("deploy")).unwrap();
    let kustomization = format!(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: ferrolb-system\n\
         resources: [../kustomize/overlays/ferrolb-system]\npatches:\n{}",
        patches.concat()
    );
    std::fs::write(folder.path().join("kustomization.yaml"), kustomization).unwrap();
    let path = folder.path().strip_prefix(root()).unwrap().to_str().unwrap();

    let Some(built) = build(path) else { return };
    let mut confined = 0;
    for object in &built {
        if let Some(context) = object.pointer("/spec/template/spec/securityContext") {
            let expected =
                json!({"type": "Localhost", "localhostProfile": "profiles/ferrolb.json"});
            assert_eq!(context["seccompProfile"], expected);
            confined += 1;
        }
    }
    assert_eq!(confined, 2);
    let rules = built.iter().flat_map(|object| object["rules"].as_array().into_iter().flatten());
    let secrets: Vec<_> = rules.filter(|rule| rule["resources"] == json!(["secrets"])).collect();
    let [rule] = &secrets[..] else { panic!("{secrets:?}") };
    assert_eq!(rule["resourceNames"], json!(["tor-password"]));
}

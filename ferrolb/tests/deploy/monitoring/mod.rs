//! The queries of alerts and dashboard match the metrics of a process, and these are in the format of OpenMetrics.

mod exposition;
mod promql;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::documents::{one, text};
use exposition::{Exposition, full};
use promql::{Expr, parse};

const ALERTS: &str = "deploy/kustomize/components/monitoring/alerts.yaml";
const DASHBOARD: &str = "deploy/kustomize/components/monitoring/dashboard.json";

/// The labels that Prometheus adds to every series of a pod.
const TARGET: [&str; 5] = ["namespace", "pod", "container", "job", "instance"];

/// The metrics of the kubelet on the dashboard.
const KUBELET: [&str; 2] =
    ["container_memory_working_set_bytes", "container_cpu_usage_seconds_total"];

fn names(labels: &[&str]) -> BTreeSet<String> {
    labels.iter().map(|&label| label.to_owned()).collect()
}

/// Returns the labels of an expression's series, or `None` for a number. Panics if it cannot match anything.
fn labels(expr: &Expr, exposition: &Exposition) -> Option<BTreeSet<String>> {
    match expr {
        Expr::Scalar => None,
        Expr::Selector { metric, matchers } => {
            let mut all = names(&TARGET);
            if !KUBELET.contains(&&**metric) {
                let own = exposition.0.get(metric).unwrap_or_else(|| panic!("no metric {metric}"));
                for matcher in matchers.iter().filter(|it| !TARGET.contains(&&*it.label)) {
                    let values = own.get(&matcher.label);
                    let values =
                        values.unwrap_or_else(|| panic!("{metric} has no label {}", matcher.label));
                    let is_exact = ["=", "!="].contains(&&*matcher.operator);
                    assert!(!is_exact || values.contains(&matcher.value), "{metric}: {matcher:?}");
                }
                all.extend(own.keys().cloned());
            }
            Some(all)
        }
        Expr::Aggregate { by, of } => {
            let all = labels(of, exposition).expect("an aggregation of a number");
            let unknown = by.iter().find(|label| !all.contains(*label));
            assert_eq!(unknown, None, "by {by:?} of {of:?}");
            Some(by.iter().cloned().collect())
        }
        Expr::Call { function, .. } if function == "time" => None,
        Expr::Call { function, of } => {
            let vectors: Vec<_> = of.iter().filter_map(|it| labels(it, exposition)).collect();
            let known = ["clamp_min", "increase", "rate", "vector", "histogram_quantile"]
                .contains(&&**function);
            assert!(known, "{function}");
            let mut all = vectors.into_iter().flatten().collect::<BTreeSet<_>>();
            if function == "histogram_quantile" {
                assert!(all.remove("le"), "{of:?}");
            }
            Some(all)
        }
        Expr::Binary { operator, matching, left, right } => {
            let (left_labels, right_labels) = (labels(left, exposition), labels(right, exposition));
            let (Some(a), Some(b)) = (&left_labels, &right_labels) else {
                return left_labels.or(right_labels);
            };
            match matching {
                Some(matching) if matching.on => {
                    let on: BTreeSet<_> = matching.labels.iter().cloned().collect();
                    assert!(on.is_subset(a) && on.is_subset(b), "{expr:?}");
                }
                Some(matching) => {
                    let ignored: BTreeSet<_> = matching.labels.iter().cloned().collect();
                    assert_eq!(a - &ignored, b - &ignored, "{expr:?}");
                }
                None if operator == "or" => {}
                None => assert_eq!(a, b, "{expr:?}"),
            }
            left_labels
        }
    }
}

/// Collects the queries of a document.
fn queries(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("expr" | "query", Value::String(text)) if text != "prometheus" => {
                        into.push(text.clone());
                    }
                    _ => queries(value, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, into)),
        _ => {}
    }
}

fn dashboard() -> Value {
    serde_json::from_str(&text(DASHBOARD)).unwrap()
}

#[tokio::test]
async fn every_query_selects_metrics_and_labels_that_exist() {
    let exposition = Exposition::read(&full().await);
    let mut all = Vec::new();
    queries(&dashboard(), &mut all);
    queries(&one(ALERTS, "PrometheusRule"), &mut all);

    let mut metrics = BTreeSet::new();
    for query in &all {
        // A variable of Grafana.
        let variable = query.strip_prefix("label_values(").and_then(|it| it.strip_suffix(')'));
        let (query, label) = match variable.and_then(|it| it.rsplit_once(", ")) {
            Some((query, label)) => (query, Some(label)),
            None => (query.as_str(), None),
        };

        let expr = parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        let found = labels(&expr, &exposition).unwrap();
        assert!(label.is_none_or(|label| found.contains(label)), "{query}: {label:?}");
        expr.walk(&mut |it| {
            if let Expr::Selector { metric, .. } = it {
                metrics.insert(metric.clone());
            }
        });
    }
    assert!(all.len() > 30, "{}", all.len());
    for wanted in [
        "ferrolb_bfd_session_up",
        "ferrolb_services_pending",
        "ferrolb_bgp_unsendable_prefixes",
        "ferrolb_config_stale",
        "ferrolb_bgp_session_down_seconds",
    ] {
        assert!(metrics.contains(wanted), "no query for {wanted}");
    }
}

#[tokio::test]
async fn legends_use_labels_that_their_series_have() {
    let exposition = Exposition::read(&full().await);
    let mut used = 0;
    let board = dashboard();
    let panels = board["panels"].as_array().unwrap().iter();
    for target in panels.flat_map(|panel| panel["targets"].as_array().unwrap()) {
        let found = labels(&parse(target["expr"].as_str().unwrap()).unwrap(), &exposition).unwrap();
        for rest in target["legendFormat"].as_str().unwrap_or_default().split("{{").skip(1) {
            let label = rest.split("}}").next().unwrap();
            assert!(found.contains(label), "{target}: {label}");
            used += 1;
        }
    }
    assert!(used > 15, "{used}");
}

#[tokio::test]
async fn the_texts_of_alerts_use_labels_that_their_series_have() {
    let exposition = Exposition::read(&full().await);
    let rules = one(ALERTS, "PrometheusRule");
    let alerts = rules.pointer("/spec/groups/0/rules").unwrap().as_array().unwrap();
    for alert in alerts {
        let found = labels(&parse(alert["expr"].as_str().unwrap()).unwrap(), &exposition).unwrap();
        for (_, text) in alert["annotations"].as_object().unwrap() {
            for used in text.as_str().unwrap().split("$labels.").skip(1) {
                let label = used.split([' ', '}']).next().unwrap();
                assert!(found.contains(label), "{}: {label}", alert["alert"]);
            }
        }
    }
    assert!(alerts.len() >= 14, "{}", alerts.len());
}

#[test]
fn the_parser_knows_precedence_and_refuses_what_it_does_not_understand() {
    let Ok(Expr::Binary { operator, left, matching, .. }) = parse("a + b * c == 1 and on (x) d")
    else {
        panic!("not an operator");
    };
    assert_eq!((operator.as_str(), matching.unwrap().labels), ("and", vec!["x".to_owned()]));
    let Expr::Binary { operator, left, .. } = *left else { panic!("not an operator") };
    assert_eq!(operator, "==");
    assert!(matches!(*left, Expr::Binary { operator, .. } if operator == "+"));

    for wrong in ["a{b}", "a{b=c}", "sum by (a) b c", "a[5m", "a b", "a ==", "a{b=\"c}"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn the_metrics_have_the_format_of_openmetrics() {
    let text = full().await;
    assert!(text.ends_with("\n# EOF\n"));
    assert_eq!(text.matches("# EOF").count(), 1);

    let mut families = BTreeSet::new();
    let (mut family, mut kind, mut samples) = (String::new(), String::new(), 0);
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(help.ends_with('.') && help.len() > 10, "{line}");
            family = name.to_owned();
            assert!(families.insert(family.clone()), "{name} is there twice");
        } else if let Some(described) = line.strip_prefix("# TYPE ") {
            let (name, is) = described.split_once(' ').unwrap();
            assert_eq!(name, family);
            kind = is.to_owned();
        } else {
            let name = line.split(['{', ' ']).next().unwrap();
            let suffix = name
                .strip_prefix(&*family)
                .unwrap_or_else(|| panic!("{line} is outside of {family}"));
            let suffixes: &[&str] = match kind.as_str() {
                "counter" => &["_total"],
                "gauge" => &[""],
                "histogram" => &["_bucket", "_count", "_sum"],
                other => panic!("{line}: {other}"),
            };
            assert!(suffixes.contains(&suffix), "{kind}: {line}");
            samples += 1;
        }
    }
    assert!(samples > 60, "{samples}");

    for family in families.iter().filter(|family| family.starts_with("ferrolb_")) {
        // Base units only, and no name that a counter of another family would have.
        let other_units = ["_ms", "_milliseconds", "_minutes", "_kilobytes", "_octets", "_percent"];
        assert!(!other_units.iter().any(|unit| family.ends_with(unit)), "{family}");
        assert!(!family.ends_with("_total"), "{family}");
    }
}

#[tokio::test]
async fn the_number_of_series_is_bounded_by_the_configuration() {
    // The nodes, peers and pools are configured, and the rest are fixed lists.
    let bounded = [
        "direction",
        "family",
        "le",
        "name",
        "node",
        "peer",
        "pool",
        "protocol",
        "reason",
        "resource",
        "stage",
        "state",
        "type",
        "version",
        "vrf",
    ];
    // MetalLB has the first one. The others exist for Services whose pool or annotation has a probe.
    let by_service = ["metallb_speaker_announced", "ferrolb_probe_up", "ferrolb_probe_held_down"];

    for (metric, labels) in Exposition::read(&full().await).0 {
        for label in labels.keys() {
            let is_bounded = bounded.contains(&&**label);
            assert!(is_bounded || by_service.contains(&&*metric), "{metric} has the label {label}");
        }
    }
}

#[tokio::test]
async fn the_documentation_lists_all_metrics_of_our_own() {
    let page = text("docs/kubernetes.md");
    let exposed: BTreeSet<String> = Exposition::read(&full().await)
        .0
        .into_keys()
        .filter(|name| name.starts_with("ferrolb_"))
        .map(|name| {
            let bare = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
            bare.unwrap_or(&name).to_owned()
        })
        .collect();
    let documented: BTreeSet<String> =
        page.split('`').filter(|word| word.starts_with("ferrolb_")).map(str::to_owned).collect();
    assert_eq!(documented, exposed);
}

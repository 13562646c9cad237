//! Label selectors and field selectors of a query.

use serde_json::Value;

use crate::failure::Failure;
use crate::resource::Resource;

/// The limits of a list or a watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    /// Path, true for `=` and false for `!=`, value.
    fields: Vec<(String, bool, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Selector {
    /// Parses the selectors of a request for this resource.
    pub(crate) fn parse(
        resource: &Resource,
        labels: Option<&str>,
        fields: Option<&str>,
    ) -> Result<Self, Failure> {
        let labels = labels.map(parse_labels).transpose()?.unwrap_or_default();
        let fields = fields.map(|fields| parse_fields(resource, fields)).transpose()?;
        let fields = fields.unwrap_or_default();
        Ok(Self { labels, fields })
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels").unwrap_or(&Value::Null);
        self.labels.iter().all(|requirement| requirement.matches(labels))
            && self.fields.iter().all(|(path, equal, wanted)| {
                let pointer = format!("/{}", path.replace('.', "/"));
                let value = object.pointer(&pointer).and_then(Value::as_str).unwrap_or_default();
                (value == wanted) == *equal
            })
    }

    /// The selected name, which rules with `resourceNames` are checked against.
    pub(crate) fn name(&self) -> Option<&str> {
        let of_name = self.fields.iter().find(|(path, equal, _)| path == "metadata.name" && *equal);
        of_name.map(|(_, _, name)| name.as_str())
    }
}

impl Requirement {
    fn matches(&self, labels: &Value) -> bool {
        match self {
            Self::In(key, values) => {
                labels[key].as_str().is_some_and(|label| values.iter().any(|value| value == label))
            }
            Self::NotIn(key, values) => {
                labels[key].as_str().is_none_or(|label| values.iter().all(|value| value != label))
            }
            Self::Exists(key) => labels[key].is_string(),
            Self::Absent(key) => !labels[key].is_string(),
        }
    }
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, Failure> {
    let mut requirements = Vec::new();
    for part in split_outside_parentheses(text).into_iter().map(str::trim) {
        if !part.is_empty() {
            requirements.push(parse_requirement(part)?);
        }
    }
    Ok(requirements)
}

fn parse_requirement(part: &str) -> Result<Requirement, Failure> {
    if let Some((key, list)) = part.split_once(" notin ") {
        return Ok(Requirement::NotIn(key.trim().to_owned(), parse_values(list)));
    }
    if let Some((key, list)) = part.split_once(" in ") {
        return Ok(Requirement::In(key.trim().to_owned(), parse_values(list)));
    }

    if let Some((key, value)) = part.split_once("!=") {
        return Ok(Requirement::NotIn(key.trim().to_owned(), vec![value.trim().to_owned()]));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok(Requirement::In(key.trim().to_owned(), vec![value.trim().to_owned()]));
    }

    if let Some(key) = part.strip_prefix('!') {
        return Ok(Requirement::Absent(key.trim().to_owned()));
    }
    if part.contains([' ', '(', ')']) {
        return Err(Failure::bad_request(format!("unable to parse requirement: {part:?}")));
    }
    Ok(Requirement::Exists(part.to_owned()))
}

/// The values of `(a, b)`.
fn parse_values(list: &str) -> Vec<String> {
    let list = list.trim().trim_start_matches('(').trim_end_matches(')');
    list.split(',').map(|value| value.trim().to_owned()).collect()
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Returns true if the real server can select objects by this field. It refuses any other.
fn is_selectable(resource: &Resource, field: &str) -> bool {
    let own: &[&str] = match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("", "Pod") => &["spec.nodeName", "status.phase", "status.podIP"],
        ("", "Secret") => &["type"],
        ("", "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "reason",
            "type",
        ],
        ("events.k8s.io", "Event") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "reason",
            "type",
        ],
        _ => &[],
    };
    own.contains(&field)
        || field == "metadata.name"
        || field == "metadata.namespace" && resource.namespaced
}

fn parse_fields(resource: &Resource, text: &str) -> Result<Vec<(String, bool, String)>, Failure> {
    let mut fields = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (key, equal, value) = if let Some((key, value)) = part.split_once("!=") {
            (key, false, value)
        } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            (key, true, value)
        } else {
            return Err(Failure::bad_request(format!("invalid selector: {part:?}")));
        };

        if !is_selectable(resource, key) {
            return Err(Failure::bad_request(format!("field label not supported: {key}")));
        }
        fields.push((key.to_owned(), equal, value.to_owned()));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::Resources;

    fn parse(
        resource: &str,
        labels: Option<&str>,
        fields: Option<&str>,
    ) -> Result<Selector, Failure> {
        let resources = Resources::built_in();
        Selector::parse(resources.find("", resource).unwrap(), labels, fields)
    }

    #[test]
    fn every_operator_selects_labels() {
        let object = json!({"metadata": {"name": "a", "labels": {"tier": "front", "app": "web"}}});
        for (text, matches) in [
            ("tier=front", true),
            ("tier==front,app=web", true),
            ("tier!=front", false),
            ("other!=front", true),
            ("tier in (front, back),app", true),
            ("tier notin (front,back)", false),
            ("!tier", false),
            ("!other", true),
            ("other", false),
        ] {
            let selector = parse("services", Some(text), None).unwrap();
            assert_eq!(selector.matches(&object), matches, "{text}");
        }
    }

    #[test]
    fn only_fields_that_the_real_server_knows_can_be_selected() {
        let object = json!({"metadata": {"name": "a"}, "spec": {"clusterIP": "None"}});
        let parse = |resource, fields| parse(resource, None, Some(fields));
        assert!(parse("configmaps", "metadata.name=a").unwrap().matches(&object));
        assert!(!parse("configmaps", "metadata.name!=a").unwrap().matches(&object));
        assert!(!parse("services", "spec.clusterIP!=None").unwrap().matches(&object));

        for (resource, fields) in [
            ("configmaps", "spec.type=x"),
            ("services", "spec.ports=x"),
            ("services", "type=x"),
            ("nodes", "metadata.namespace=x"),
        ] {
            assert_eq!(parse(resource, fields).unwrap_err().code, 400, "{resource} {fields}");
        }
    }
}

//! Label selectors and field selectors, as they stand in a query.

use serde_json::Value;

use crate::failure::Failure;

/// What a list or a watch is limited to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    /// Path, whether equal or not, value.
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
    pub(crate) fn parse(labels: Option<&str>, fields: Option<&str>) -> Result<Self, Failure> {
        let labels = labels.map(parse_labels).transpose()?.unwrap_or_default();
        let fields = fields.map(parse_fields).transpose()?.unwrap_or_default();
        Ok(Self { labels, fields })
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let label = |key: &str| {
            object.pointer("/metadata/labels").and_then(|labels| labels.get(key)?.as_str())
        };
        let labels = self.labels.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => {
                label(key).is_some_and(|value| values.iter().any(|one| one == value))
            }
            Requirement::NotIn(key, values) => {
                label(key).is_none_or(|value| values.iter().all(|one| one != value))
            }
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::Absent(key) => label(key).is_none(),
        });
        labels
            && self.fields.iter().all(|(path, equal, wanted)| {
                let pointer = format!("/{}", path.replace('.', "/"));
                let value = object.pointer(&pointer).and_then(Value::as_str).unwrap_or_default();
                (value == wanted) == *equal
            })
    }

    /// The name that the fields ask for: what access limited to names is judged by.
    pub(crate) fn name(&self) -> Option<&str> {
        let of_name = self.fields.iter().find(|(path, equal, _)| path == "metadata.name" && *equal);
        of_name.map(|(_, _, name)| name.as_str())
    }
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, Failure> {
    let mut requirements = Vec::new();
    for part in split_outside_parentheses(text) {
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        let values = |list: &str| -> Vec<String> {
            let list = list.trim().trim_start_matches('(').trim_end_matches(')');
            list.split(',').map(|value| value.trim().to_owned()).collect()
        };
        let requirement = if let Some((key, list)) = part.split_once(" notin ") {
            Requirement::NotIn(key.trim().to_owned(), values(list))
        } else if let Some((key, list)) = part.split_once(" in ") {
            Requirement::In(key.trim().to_owned(), values(list))
        } else if let Some((key, value)) = part.split_once("!=") {
            Requirement::NotIn(key.trim().to_owned(), vec![value.trim().to_owned()])
        } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            Requirement::In(key.trim().to_owned(), vec![value.trim().to_owned()])
        } else if let Some(key) = part.strip_prefix('!') {
            Requirement::Absent(key.trim().to_owned())
        } else if part.contains([' ', '(', ')']) {
            return Err(Failure::bad_request(format!("unable to parse requirement: {part:?}")));
        } else {
            Requirement::Exists(part.to_owned())
        };
        requirements.push(requirement);
    }
    Ok(requirements)
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

/// The fields that the real server selects by; any other it refuses.
const SELECTABLE: [&str; 8] = [
    "metadata.name",
    "metadata.namespace",
    "spec.nodeName",
    "type",
    "involvedObject.name",
    "involvedObject.kind",
    "involvedObject.namespace",
    "reason",
];

fn parse_fields(text: &str) -> Result<Vec<(String, bool, String)>, Failure> {
    let parts = text.split(',').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (key, equal, value) = if let Some((key, value)) = part.split_once("!=") {
                (key, false, value)
            } else if let Some((key, value)) =
                part.split_once("==").or_else(|| part.split_once('='))
            {
                (key, true, value)
            } else {
                return Err(Failure::bad_request(format!("invalid selector: {part:?}")));
            };
            if !SELECTABLE.contains(&key) {
                return Err(Failure::bad_request(format!("field label not supported: {key}")));
            }
            Ok((key.to_owned(), equal, value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_are_selected_by_every_operator() {
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
            let selector = Selector::parse(Some(text), None).unwrap();
            assert_eq!(selector.matches(&object), matches, "{text}");
        }
    }

    #[test]
    fn fields_are_those_that_the_real_server_knows() {
        let object = json!({"metadata": {"name": "a"}});
        assert!(Selector::parse(None, Some("metadata.name=a")).unwrap().matches(&object));
        assert!(!Selector::parse(None, Some("metadata.name!=a")).unwrap().matches(&object));
        assert_eq!(Selector::parse(None, Some("spec.type=x")).unwrap_err().code, 400);
    }
}

//! Label selectors, and the rules of Kubernetes for labels.

use std::collections::BTreeSet;

use super::field::{Field, Mapping};
use super::key::{Format, Key};
use super::report::Report;
use crate::model::{LabelSelector, Labels, MatchExpression, SelectorOperator};

/// Reads the list of selectors under a key; none if the key is absent.
pub(crate) fn selectors(
    mapping: &Mapping<'_>,
    key: &str,
    format: Format,
    report: &mut Report<'_>,
) -> Vec<LabelSelector> {
    let Some(list) = mapping.get(key) else { return Vec::new() };
    let items: Vec<_> = list.list(report).collect();

    let mut selectors = Vec::new();
    for item in items {
        if let Some(selector) = selector(item, format, report) {
            selectors.push((item, selector));
        }
    }
    distinct(selectors, sorted_selector, "this selector", format, report)
}

/// Reads one selector.
pub(crate) fn selector(
    field: Field<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> Option<LabelSelector> {
    let mapping = match format {
        Format::ConfigMap => field.mapping_or_null(report)?,
        Format::Resources => field.mapping(report)?,
    };
    let [labels, expressions] = [MATCH_LABELS, MATCH_EXPRESSIONS].map(|key| key.of(format));
    mapping.only(&[labels, expressions], report);

    let mut selector = LabelSelector::default();
    if let Some(labels) = mapping.get(labels) {
        selector.match_labels = match_labels(labels, format, report);
    }
    if let Some(list) = mapping.get(expressions) {
        selector.match_expressions = match_expressions(list, format, report);
    }
    Some(selector)
}

fn match_labels(field: Field<'_>, format: Format, report: &mut Report<'_>) -> Labels {
    let Some(mapping) = field.mapping(report) else { return Labels::new() };

    let mut labels = Labels::new();
    for (key, field) in mapping.fields() {
        if !is_label_key(key) {
            field.error(report, format!("{key:?} is not a label key, {EXPECTED_KEY}"));
        }
        if let Some(value) = label_value(field, format, report) {
            labels.insert(key.to_owned(), value);
        }
    }
    labels
}

fn match_expressions(
    list: Field<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> Vec<MatchExpression> {
    let items: Vec<_> = list.list(report).collect();

    let mut expressions = Vec::new();
    for item in items {
        if let Some(expression) = match_expression(item, format, report) {
            expressions.push((item, expression));
        }
    }
    distinct(expressions, sorted_expression, "this expression", format, report)
}

fn match_expression(
    field: Field<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> Option<MatchExpression> {
    let mapping = field.mapping(report)?;
    mapping.only(&["key", "operator", "values"], report);

    let key = mapping
        .required("key", "a label key", report)
        .and_then(|field| label_key(field, format, report));
    let operator = mapping
        .required("operator", "In, NotIn, Exists or DoesNotExist", report)
        .and_then(|field| field.choice(report, &OPERATORS));
    let values = match mapping.get("values") {
        Some(list) => label_values(list, format, report),
        None => Vec::new(),
    };

    let expression = MatchExpression { key: key?, operator: operator?, values };
    check_number_of_values(expression.operator, &mapping, report);
    Some(expression)
}

fn check_number_of_values(
    operator: SelectorOperator,
    mapping: &Mapping<'_>,
    report: &mut Report<'_>,
) {
    match (operator, mapping.get("values")) {
        (SelectorOperator::In | SelectorOperator::NotIn, None) => {
            report.error(
                mapping.path.key("values"),
                mapping.position,
                "missing, In and NotIn need at least one value",
            );
        }
        (SelectorOperator::In | SelectorOperator::NotIn, Some(list)) if list.is_empty_list() => {
            list.error(report, "empty, In and NotIn need at least one value");
        }
        (SelectorOperator::Exists | SelectorOperator::DoesNotExist, Some(list))
            if !list.is_empty_list() =>
        {
            list.error(report, "Exists and DoesNotExist take no values");
        }
        _ => {}
    }
}

fn label_key(field: Field<'_>, format: Format, report: &mut Report<'_>) -> Option<String> {
    let key = field.word(format, report)?;
    if !is_label_key(key) {
        field.error(report, format!("{} is not a label key, {EXPECTED_KEY}", field.shown()));
    }
    Some(key.to_owned())
}

fn label_values(list: Field<'_>, format: Format, report: &mut Report<'_>) -> Vec<String> {
    let items: Vec<_> = list.list(report).collect();

    let mut values = Vec::new();
    for item in items {
        if let Some(value) = label_value(item, format, report) {
            values.push((item, value));
        }
    }
    distinct(values, String::clone, "this value", format, report)
}

fn label_value(field: Field<'_>, format: Format, report: &mut Report<'_>) -> Option<String> {
    let text = field.word(format, report)?;
    if !is_label_value(text) {
        let message = format!("{} is not a label value, {EXPECTED_VALUE}", field.shown());
        field.error(report, field.hinted(message));
    }
    Some(text.to_owned())
}

/// Returns the items of a list. In a resource it is an error, as in MetalLB, if two items have the same canonical form.
fn distinct<T, C: Ord>(
    items: Vec<(Field<'_>, T)>,
    canonical: impl Fn(&T) -> C,
    name: &str,
    format: Format,
    report: &mut Report<'_>,
) -> Vec<T> {
    let mut seen = BTreeSet::new();
    for (field, item) in &items {
        if !seen.insert(canonical(item)) && format == Format::Resources {
            field.error(report, format!("{name} is listed twice"));
        }
    }
    items.into_iter().map(|(_, item)| item).collect()
}

/// Returns a selector with the values of each expression in order.
fn sorted_selector(selector: &LabelSelector) -> LabelSelector {
    let mut sorted = selector.clone();
    sorted.match_expressions = selector.match_expressions.iter().map(sorted_expression).collect();
    sorted
}

/// Returns an expression with its values in order.
fn sorted_expression(expression: &MatchExpression) -> MatchExpression {
    let mut sorted = expression.clone();
    sorted.values.sort();
    sorted
}

/// Returns true for a label key: a name, optionally after a DNS domain and a slash.
fn is_label_key(key: &str) -> bool {
    let Some((domain, name)) = key.split_once('/') else { return is_label_name(key) };
    let is_domain = !domain.is_empty()
        && domain.len() <= 253
        && domain
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'));
    is_domain && is_label_name(name)
}

fn is_label_name(name: &str) -> bool {
    !name.is_empty() && is_label_value(name)
}

/// Returns true for a label value: empty, or up to 63 letters, digits, `-`, `_` and `.` with a letter or digit at both ends.
fn is_label_value(value: &str) -> bool {
    if value.is_empty() {
        return true;
    }
    value.len() <= 63
        && value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && value.ends_with(|c: char| c.is_ascii_alphanumeric())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

const MATCH_LABELS: Key = Key("match-labels", "matchLabels");
const MATCH_EXPRESSIONS: Key = Key("match-expressions", "matchExpressions");
const OPERATORS: [(&str, SelectorOperator); 4] = [
    ("In", SelectorOperator::In),
    ("NotIn", SelectorOperator::NotIn),
    ("Exists", SelectorOperator::Exists),
    ("DoesNotExist", SelectorOperator::DoesNotExist),
];
const EXPECTED_KEY: &str = "expected one such as rack or example.com/rack";
const EXPECTED_VALUE: &str = "expected up to 63 letters, digits, dashes, dots and underscores";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_keys_and_values_are_those_of_kubernetes() {
        for key in ["rack", "kubernetes.io/hostname", "a_b.c-d", "x"] {
            assert!(is_label_key(key), "{key}");
        }
        for key in ["", "/x", "x/", "a/b/c", "-a", "A.com/x", "a b", &"k".repeat(64)] {
            assert!(!is_label_key(key), "{key}");
        }
        for value in ["", "a", "A.b_c-1"] {
            assert!(is_label_value(value), "{value}");
        }
        for value in ["-", "a-", "a b", "é", &"v".repeat(64)] {
            assert!(!is_label_value(value), "{value}");
        }
    }
}

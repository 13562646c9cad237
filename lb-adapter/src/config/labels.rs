//! Label selectors, and what Kubernetes takes for a label.

use std::collections::BTreeSet;

use super::draft::{Format, Key};
use super::field::{Field, Mapping};
use super::report::Report;
use crate::model::{LabelSelector, Labels, MatchExpression, SelectorOperator};

/// Reads the list of selectors under this key; none if it is not there.
pub(crate) fn selectors(
    mapping: &Mapping<'_>,
    key: &str,
    format: Format,
    report: &mut Report<'_>,
) -> Vec<LabelSelector> {
    let Some(list) = mapping.get(key) else { return Vec::new() };
    let items: Vec<_> = list.list(report).collect();
    let read = items.iter().filter_map(|item| Some((*item, selector(*item, format, report)?)));
    let selectors = read.collect();
    different(selectors, sorted_selector, "this selector", format, report)
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
        selector.match_labels = equalities(labels, format, report);
    }
    if let Some(list) = mapping.get(expressions) {
        let expressions: Vec<_> = list.list(report).collect();
        let read =
            expressions.iter().filter_map(|it| Some((*it, expression(*it, format, report)?)));
        let expressions = read.collect();
        let what = "this expression";
        selector.match_expressions =
            different(expressions, sorted_expression, what, format, report);
    }
    Some(selector)
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

/// Returns the items of a list. In a resource it is an error, as in MetalLB, if two of them are equal in their canonical
/// form.
fn different<T, C: Ord>(
    items: Vec<(Field<'_>, T)>,
    canonical: impl Fn(&T) -> C,
    what: &str,
    format: Format,
    report: &mut Report<'_>,
) -> Vec<T> {
    let mut seen = BTreeSet::new();
    for (field, item) in &items {
        if !seen.insert(canonical(item)) && format == Format::Resources {
            field.error(report, format!("{what} is listed twice"));
        }
    }
    items.into_iter().map(|(_, item)| item).collect()
}

fn equalities(field: Field<'_>, format: Format, report: &mut Report<'_>) -> Labels {
    let Some(mapping) = field.mapping(report) else { return Labels::new() };
    let mut labels = Labels::new();
    for (key, field) in mapping.fields() {
        if !is_key(key) {
            field.error(report, format!("{key:?} is no label key, {EXPECTED_KEY}"));
        }
        if let Some(value) = value(field, format, report) {
            labels.insert(key.to_owned(), value);
        }
    }
    labels
}

fn expression(
    field: Field<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> Option<MatchExpression> {
    let mapping = field.mapping(report)?;
    mapping.only(&["key", "operator", "values"], report);
    let key = mapping.required("key", "the key of a label", report).and_then(|field| {
        let key = field.word(format, report)?;
        if !is_key(key) {
            field.error(report, format!("{} is no label key, {EXPECTED_KEY}", field.shown()));
        }
        Some(key.to_owned())
    });
    let words = [
        ("In", SelectorOperator::In),
        ("NotIn", SelectorOperator::NotIn),
        ("Exists", SelectorOperator::Exists),
        ("DoesNotExist", SelectorOperator::DoesNotExist),
    ];
    let operator = mapping
        .required("operator", "In, NotIn, Exists or DoesNotExist", report)
        .and_then(|field| field.choice(report, &words));
    let listed = mapping.get("values");
    let values: Vec<_> = match &listed {
        Some(list) => {
            let items: Vec<_> = list.list(report).collect();
            let read = items.iter().filter_map(|it| Some((*it, value(*it, format, report)?)));
            let values = read.collect();
            different(values, String::clone, "this value", format, report)
        }
        None => Vec::new(),
    };
    let expression = MatchExpression { key: key?, operator: operator?, values };
    match (expression.operator, listed) {
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
    Some(expression)
}

fn value(field: Field<'_>, format: Format, report: &mut Report<'_>) -> Option<String> {
    let text = field.word(format, report)?;
    if !is_value(text) {
        let message = format!("{} is no label value, {EXPECTED_VALUE}", field.shown());
        field.error(report, field.hinted(message));
    }
    Some(text.to_owned())
}

/// A label key: a name, before it perhaps a DNS domain and a slash.
fn is_key(key: &str) -> bool {
    let (domain, name) = match key.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, key),
    };
    let in_domain =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    !name.is_empty()
        && is_value(name)
        && domain.is_none_or(|it| !it.is_empty() && it.len() <= 253 && it.chars().all(in_domain))
}

/// A label value: empty, or up to 63 letters, digits, `-`, `_` and `.` with an alphanumeric at
/// both ends.
fn is_value(value: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_alphanumeric();
    value.len() <= 63
        && (value.is_empty() || (value.starts_with(alphanumeric) && value.ends_with(alphanumeric)))
        && value.chars().all(|c| alphanumeric(c) || matches!(c, '-' | '_' | '.'))
}

const MATCH_LABELS: Key = Key("match-labels", "matchLabels");
const MATCH_EXPRESSIONS: Key = Key("match-expressions", "matchExpressions");
const EXPECTED_KEY: &str = "expected one such as rack or example.com/rack";
const EXPECTED_VALUE: &str = "expected up to 63 letters, digits, dashes, dots and underscores";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_keys_and_values_are_those_of_kubernetes() {
        for key in ["rack", "kubernetes.io/hostname", "a_b.c-d", "x"] {
            assert!(is_key(key), "{key}");
        }
        for key in ["", "/x", "x/", "a/b/c", "-a", "A.com/x", "a b", &"k".repeat(64)] {
            assert!(!is_key(key), "{key}");
        }
        for value in ["", "a", "A.b_c-1"] {
            assert!(is_value(value), "{value}");
        }
        for value in ["-", "a-", "a b", "é", &"v".repeat(64)] {
            assert!(!is_value(value), "{value}");
        }
    }
}

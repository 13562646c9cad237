//! Label selectors.

use super::Labels;

/// A label selector of Kubernetes. All equalities and expressions must hold, so an empty selector selects all objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelSelector {
    /// The labels that must exist with exactly these values.
    pub match_labels: Labels,
    /// The expressions that must hold.
    pub match_expressions: Vec<MatchExpression>,
}

impl LabelSelector {
    /// Returns true if an object with these labels is selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|expression| expression.matches(labels))
    }
}

/// Returns true if one of these selectors selects the labels, or if there are no selectors: an empty list restricts
/// nothing.
pub(super) fn matches_any_or_empty(selectors: &[LabelSelector], labels: &Labels) -> bool {
    selectors.is_empty() || selectors.iter().any(|selector| selector.matches(labels))
}

/// One expression of a [`LabelSelector`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MatchExpression {
    /// The key of the label.
    pub key: String,
    /// The comparison of the label with the values.
    pub operator: SelectorOperator,
    /// At least one for `In` and `NotIn`, none for the others.
    pub values: Vec<String>,
}

impl MatchExpression {
    /// Returns true if the expression holds for these labels. As in Kubernetes, an absent label is "not in" any values.
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let listed = value.is_some_and(|value| self.values.iter().any(|listed| listed == value));
        match self.operator {
            SelectorOperator::In => listed,
            SelectorOperator::NotIn => !listed,
            SelectorOperator::Exists => value.is_some(),
            SelectorOperator::DoesNotExist => value.is_none(),
        }
    }
}

/// The operator of a [`MatchExpression`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the operators of a Kubernetes label selector")]
pub enum SelectorOperator {
    /// The label exists with one of the values.
    In,
    /// The label is absent or has another value.
    NotIn,
    /// The label exists.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(operator: SelectorOperator, values: &[&str], labels: &[(&str, &str)]) -> bool {
        let expression = MatchExpression {
            key: "rack".to_owned(),
            operator,
            values: values.iter().map(ToString::to_string).collect(),
        };
        let labels = labels.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        expression.matches(&labels)
    }

    #[test]
    fn expressions_follow_the_rules_of_kubernetes() {
        assert!(holds(SelectorOperator::In, &["a", "b"], &[("rack", "b")]));
        assert!(!holds(SelectorOperator::In, &["a"], &[("rack", "b")]));
        assert!(!holds(SelectorOperator::In, &["a"], &[]));
        assert!(holds(SelectorOperator::NotIn, &["a"], &[("rack", "b")]));
        assert!(!holds(SelectorOperator::NotIn, &["b"], &[("rack", "b")]));
        assert!(
            holds(SelectorOperator::NotIn, &["a"], &[]),
            "an absent label is not in the values"
        );
        assert!(holds(SelectorOperator::Exists, &[], &[("rack", "")]));
        assert!(!holds(SelectorOperator::Exists, &[], &[("other", "")]));
        assert!(holds(SelectorOperator::DoesNotExist, &[], &[("other", "")]));
        assert!(!holds(SelectorOperator::DoesNotExist, &[], &[("rack", "")]));
    }

    #[test]
    fn all_conditions_of_a_selector_must_hold() {
        let labels = Labels::from([("rack".to_owned(), "a".to_owned())]);
        let mut selector = LabelSelector::default();
        assert!(selector.matches(&labels));
        selector.match_labels.insert("rack".to_owned(), "a".to_owned());
        assert!(selector.matches(&labels));
        selector.match_expressions.push(MatchExpression {
            key: "role".to_owned(),
            operator: SelectorOperator::Exists,
            values: Vec::new(),
        });
        assert!(!selector.matches(&labels));
    }
}

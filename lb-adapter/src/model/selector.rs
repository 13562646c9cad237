//! Selectors, which pick objects by their labels.

use super::Labels;

/// A label selector of Kubernetes: every equality and every expression must hold, so an empty one selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelSelector {
    /// Labels that must be there with exactly this value.
    pub match_labels: Labels,
    /// Expressions that must all hold.
    pub match_expressions: Vec<MatchExpression>,
}

impl LabelSelector {
    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|expression| expression.matches(labels))
    }
}

/// Whether one of these selectors selects the labels, or there is none: how lists of selectors are
/// meant that restrict something only when they are not empty.
pub(super) fn any_or_none(selectors: &[LabelSelector], labels: &Labels) -> bool {
    selectors.is_empty() || selectors.iter().any(|selector| selector.matches(labels))
}

/// One expression of a [`LabelSelector`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MatchExpression {
    /// The label's key.
    pub key: String,
    /// How the label is compared with the values.
    pub operator: SelectorOperator,
    /// At least one for `In` and `NotIn`, none for the others.
    pub values: Vec<String>,
}

impl MatchExpression {
    /// Whether it holds for these labels. As in Kubernetes, an absent label is "not in" anything.
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

/// How a [`MatchExpression`] compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the operators of a Kubernetes label selector")]
pub enum SelectorOperator {
    /// The label is there with one of the values.
    In,
    /// The label is absent or has another value.
    NotIn,
    /// The label is there.
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
    fn expressions_follow_the_label_selectors_of_kubernetes() {
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
    fn a_selector_wants_everything_it_lists() {
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

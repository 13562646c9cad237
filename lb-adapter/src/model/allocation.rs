//! The restriction of a pool to some Services.

use std::collections::BTreeSet;

use super::{LabelSelector, Namespace, Service};

/// The Services that a pool admits, and the priority of the pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceAllocation {
    /// The priority among the pools that admit a Service: the smallest number is tried first, and 0 last.
    pub priority: u32,
    /// The names of the admitted namespaces.
    pub namespaces: BTreeSet<String>,
    /// The selectors of admitted namespaces, in addition to those named.
    pub namespace_selectors: Vec<LabelSelector>,
    /// The selectors of admitted Services. If namespaces are restricted too, both must match.
    pub service_selectors: Vec<LabelSelector>,
}

impl ServiceAllocation {
    /// Returns true if the pool admits this Service.
    ///
    /// `namespace` is the Service's namespace. An unknown one, `None`, is not selected by any selector.
    pub fn admits(&self, service: &Service, namespace: Option<&Namespace>) -> bool {
        self.admits_namespace(&service.key.namespace, namespace)
            && (self.service_selectors.is_empty()
                || self.service_selectors.iter().any(|selector| selector.matches(&service.labels)))
    }

    fn admits_namespace(&self, name: &str, namespace: Option<&Namespace>) -> bool {
        if self.namespaces.is_empty() && self.namespace_selectors.is_empty() {
            return true;
        }
        if self.namespaces.contains(name) {
            return true;
        }

        let Some(namespace) = namespace else { return false };
        self.namespace_selectors.iter().any(|selector| selector.matches(&namespace.labels))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ServiceKey;
    use super::*;

    fn labelled(key: &str, value: &str) -> LabelSelector {
        let mut selector = LabelSelector::default();
        selector.match_labels.insert(key.to_owned(), value.to_owned());
        selector
    }

    #[test]
    fn namespaces_are_alternatives_and_service_selectors_must_match_too() {
        let mut service = Service::new(ServiceKey::new("shop", "web"));
        let mut namespace = Namespace::new("shop");
        let mut rule = ServiceAllocation::default();
        assert!(rule.admits(&service, None));
        rule.namespaces.insert("mail".to_owned());
        assert!(!rule.admits(&service, Some(&namespace)));
        rule.namespace_selectors.push(labelled("team", "a"));
        assert!(!rule.admits(&service, Some(&namespace)));
        namespace.labels.insert("team".to_owned(), "a".to_owned());
        assert!(rule.admits(&service, Some(&namespace)));
        assert!(!rule.admits(&service, None), "an unknown namespace is not selected");
        rule.service_selectors.push(labelled("public", "yes"));
        assert!(!rule.admits(&service, Some(&namespace)));
        service.labels.insert("public".to_owned(), "yes".to_owned());
        assert!(rule.admits(&service, Some(&namespace)));
    }

    #[test]
    fn a_namespace_has_its_name_as_a_label() {
        let service = Service::new(ServiceKey::new("shop", "web"));
        let mut rule = ServiceAllocation::default();
        rule.namespace_selectors.push(labelled("kubernetes.io/metadata.name", "shop"));
        assert!(rule.admits(&service, Some(&Namespace::new("shop"))));
    }
}

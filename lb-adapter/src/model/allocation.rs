//! Which Services a pool is for.

use std::collections::BTreeSet;

use super::{LabelSelector, Namespace, Service};

/// The Services that may have addresses of a pool, and how gladly the pool gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceAllocation {
    /// Of the pools that are for a Service the one with the smallest number is tried first; 0 is
    /// last of all.
    pub priority: u32,
    /// The namespaces, by name.
    pub namespaces: BTreeSet<String>,
    /// The namespaces, by label; alternatives to those by name.
    pub namespace_selectors: Vec<LabelSelector>,
    /// The Services, by label. Where namespaces are restricted too, both must hold.
    pub service_selectors: Vec<LabelSelector>,
}

impl ServiceAllocation {
    /// Whether the pool is for this Service, which lies in this namespace.
    ///
    /// The Namespace object is `None` while it is not known: no selector selects it then.
    pub fn admits(&self, service: &Service, namespace: Option<&Namespace>) -> bool {
        self.admits_namespace(&service.key.namespace, namespace)
            && (self.service_selectors.is_empty()
                || self.service_selectors.iter().any(|it| it.matches(&service.labels)))
    }

    fn admits_namespace(&self, name: &str, namespace: Option<&Namespace>) -> bool {
        if self.namespaces.is_empty() && self.namespace_selectors.is_empty() {
            return true;
        }
        let selected =
            |selector: &LabelSelector| namespace.is_some_and(|it| selector.matches(&it.labels));
        self.namespaces.contains(name) || self.namespace_selectors.iter().any(selected)
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
    fn namespaces_are_alternatives_and_services_are_asked_for_besides() {
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
        assert!(!rule.admits(&service, None), "a namespace that is not known is not selected");
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

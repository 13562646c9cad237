//! Sorting objects by kind, and what holds among all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::object::Metadata;
use super::{Manifests, Source, endpoints, node, service};
use crate::config::field::{self, Field, Mapping};
use crate::config::report::Report;
use crate::config::yaml::{self, Position};
use crate::config::{self, Diagnostic};
use crate::model::{Config, EndpointSlice, Namespace, Node, Service};

/// The objects of all files up to now.
#[derive(Debug, Default)]
pub(super) struct Collection {
    config: Option<Config>,
    /// ConfigMaps that are not the one looked for, and where they stand.
    other_config_maps: Vec<String>,
    services: Vec<Service>,
    slices: Vec<EndpointSlice>,
    /// From Endpoints objects; they count only for Services without slices.
    endpoints: Vec<EndpointSlice>,
    nodes: Vec<Node>,
    namespaces: Vec<Namespace>,
    /// Whether some text could not be read, so that what is missing may have been in it.
    incomplete: bool,
    /// Where each object stands.
    places: BTreeMap<Identity, String>,
}

/// Kind, namespace and name of an object; the namespace is empty if the kind has none.
type Identity = (Kind, String, String);

/// The kinds that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    ConfigMap,
    Service,
    EndpointSlice,
    Endpoints,
    Node,
    Namespace,
}

impl Kind {
    fn of(api_version: &str, kind: &str) -> Option<Self> {
        Some(match (api_version, kind) {
            ("v1", "ConfigMap") => Self::ConfigMap,
            ("v1", "Service") => Self::Service,
            ("v1", "Endpoints") => Self::Endpoints,
            ("v1", "Node") => Self::Node,
            ("v1", "Namespace") => Self::Namespace,
            ("discovery.k8s.io/v1", "EndpointSlice") => Self::EndpointSlice,
            _ => return None,
        })
    }
}

/// Kinds of one file that are not read: how many objects, and where the first one is.
type Unread = BTreeMap<(String, String), (usize, Position)>;

impl Collection {
    /// Takes the objects of a file.
    pub(super) fn add(&mut self, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
        let mut report = Report::new(&source.name, diagnostics);
        let text = match std::str::from_utf8(&source.octets) {
            Ok(text) => text,
            Err(error) => {
                let (position, message) = config::not_utf8(&error, &source.octets);
                report.error("", position, message);
                self.incomplete = true;
                return;
            }
        };
        let (documents, errors) = yaml::documents(text);
        self.incomplete |= !errors.is_empty();
        for error in errors {
            report.error("", error.position, error.message);
        }
        let mut unread = Unread::new();
        for document in &documents {
            let root = Field::root(document);
            field::repeated_keys(root, &mut report);
            self.add_object(root, None, &mut unread, &mut report);
        }
        for ((api_version, kind), (count, position)) in unread {
            let message = match count {
                1 => format!("{kind:?} of {api_version:?} is a kind that is not read"),
                _ => {
                    format!("{kind:?} of {api_version:?} is a kind that is not read, {count} times")
                }
            };
            report.warning("", position, message);
        }
    }

    /// Takes note that a file could not be read.
    pub(super) fn set_incomplete(&mut self) {
        self.incomplete = true;
    }

    /// Reports if there is no configuration in files that could all be read.
    pub(super) fn require_config(&self, name: &str, diagnostics: &mut Vec<Diagnostic>) {
        let identity = (Kind::ConfigMap, NAMESPACE.to_owned(), NAME.to_owned());
        if self.incomplete || self.places.contains_key(&identity) {
            return;
        }
        let mut message = format!("expected a ConfigMap {NAMESPACE}/{NAME}, found none");
        if !self.other_config_maps.is_empty() {
            message.push_str(&format!(" but {}", self.other_config_maps.join(", ")));
        }
        diagnostics.push(Diagnostic::file_error(name, message));
    }

    /// Everything in its order.
    pub(super) fn into_manifests(mut self, warnings: Vec<Diagnostic>) -> Manifests {
        let sliced: BTreeSet<_> = self.slices.iter().map(|slice| slice.service.clone()).collect();
        let unsliced = self.endpoints.into_iter().filter(|it| !sliced.contains(&it.service));
        self.slices.extend(unsliced);
        self.slices.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        self.services.sort_by(|a, b| a.key.cmp(&b.key));
        self.nodes.sort_by(|a, b| a.name.cmp(&b.name));
        self.namespaces.sort_by(|a, b| a.name.cmp(&b.name));
        Manifests {
            config: self.config.unwrap_or_default(),
            services: self.services,
            slices: self.slices,
            nodes: self.nodes,
            namespaces: self.namespaces,
            warnings,
        }
    }

    /// Takes one object, or the items of a list. In a list of one kind, as the API server answers,
    /// the items say no kind of their own.
    fn add_object(
        &mut self,
        field: Field<'_>,
        of_list: Option<(&str, &str)>,
        unread: &mut Unread,
        report: &mut Report<'_>,
    ) {
        let Some(object) = field.mapping(report) else { return };
        let own = |key: &str, report: &mut Report<'_>| {
            object.get(key).map(|field| field.string(report).map(str::to_owned))
        };
        let (api_version, kind) = match (own("apiVersion", report), own("kind", report), of_list) {
            (Some(Some(api_version)), Some(Some(kind)), _) => (api_version, kind),
            (None, None, Some((api_version, kind))) => (api_version.to_owned(), kind.to_owned()),
            (Some(None), _, _) | (_, Some(None), _) => return,
            (None, _, _) | (_, None, _) => {
                not_an_object(&object, report);
                return;
            }
        };
        if let (Some(item_kind), Some(items)) = (kind.strip_suffix("List"), object.get("items")) {
            let of_list = (!item_kind.is_empty()).then_some((api_version.as_str(), item_kind));
            let items: Vec<_> = items.list(report).collect();
            for item in items {
                self.add_object(item, of_list, unread, report);
            }
            return;
        }
        match Kind::of(&api_version, &kind) {
            Some(kind) => self.add_known(kind, &object, report),
            None => {
                let entry = unread.entry((api_version, kind)).or_insert((0, object.position));
                entry.0 += 1;
            }
        }
    }

    fn add_known(&mut self, kind: Kind, object: &Mapping<'_>, report: &mut Report<'_>) {
        let Some(metadata) = Metadata::read(object, report) else { return };
        if !self.is_first(kind, &metadata, object, report) {
            return;
        }
        match kind {
            Kind::ConfigMap => self.add_config_map(&metadata, object, report),
            Kind::Service => self.services.extend(service::read(metadata, object, report)),
            Kind::EndpointSlice => self.slices.extend(endpoints::slice(metadata, object, report)),
            Kind::Endpoints => self.endpoints.push(endpoints::endpoints(metadata, object, report)),
            Kind::Node => self.nodes.push(node::read(metadata, object, report)),
            Kind::Namespace => {
                let mut namespace = Namespace::new(metadata.name);
                namespace.labels.extend(metadata.labels);
                self.namespaces.push(namespace);
            }
        }
    }

    /// Remembers where an object stands; reports if there was one of the same name.
    fn is_first(
        &mut self,
        kind: Kind,
        metadata: &Metadata,
        object: &Mapping<'_>,
        report: &mut Report<'_>,
    ) -> bool {
        let namespace = match kind {
            Kind::Node | Kind::Namespace => String::new(),
            _ => metadata.namespace.clone(),
        };
        let identity = (kind, namespace, metadata.name.clone());
        if let Some(first) = self.places.get(&identity) {
            let name = match kind {
                Kind::Node | Kind::Namespace => metadata.name.clone(),
                _ => metadata.key().to_string(),
            };
            let message = format!("{kind:?} {name} is already at {first}, expected one of a name");
            report.error(object.path, object.position, message);
            return false;
        }
        self.places.insert(identity, report.place(object.position));
        true
    }

    fn add_config_map(
        &mut self,
        metadata: &Metadata,
        object: &Mapping<'_>,
        report: &mut Report<'_>,
    ) {
        if (metadata.namespace.as_str(), metadata.name.as_str()) != (NAMESPACE, NAME) {
            let (key, place) = (metadata.key(), report.place(object.position));
            let message =
                format!("the ConfigMap {key} is not read, the configuration is {NAMESPACE}/{NAME}");
            report.warning(object.path, object.position, message);
            self.other_config_maps.push(format!("{key} at {place}"));
            return;
        }
        let Some(data) = object.required("data", "the configuration under the key config", report)
        else {
            return;
        };
        let Some(data) = data.mapping(report) else { return };
        if data.fields().all(|(key, _)| key != DATA_KEY) {
            data.only(&[DATA_KEY], report);
            data.required(DATA_KEY, "the configuration as text", report);
            return;
        }
        for (_, field) in data.fields().filter(|(key, _)| *key != DATA_KEY) {
            field.warning(report, format!("not read, the configuration is data.{DATA_KEY}"));
        }
        // An empty text is an empty configuration, and null is as good.
        let Some(field) = data.get(DATA_KEY) else { return };
        let Some(text) = field.string(report) else { return };
        let origin = match &field.value.kind {
            yaml::Kind::Scalar(scalar) => scalar.origin(field.position()),
            yaml::Kind::Null | yaml::Kind::Sequence(_) | yaml::Kind::Mapping(_) => return,
        };
        self.config = Some(config::read(text, &mut report.within(origin)));
    }
}

/// Reports a mapping without kind, which is perhaps a bare configuration.
fn not_an_object(object: &Mapping<'_>, report: &mut Report<'_>) {
    let bare = ["peers", "address-pools"].iter().any(|key| object.get(key).is_some());
    let message = match bare {
        true => format!(
            "expected a Kubernetes object: a configuration goes under data.{DATA_KEY} of the \
             ConfigMap {NAMESPACE}/{NAME}"
        ),
        false => "expected a Kubernetes object with apiVersion and kind".to_owned(),
    };
    report.error(object.path, object.position, message);
}

/// Where MetalLB 0.7.3 looks for its configuration.
const NAMESPACE: &str = "metallb-system";
const NAME: &str = "config";
const DATA_KEY: &str = "config";

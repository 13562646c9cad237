//! Sorting objects by kind, and what holds among all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use super::configuration::Configuration;
use super::kinds::Verdict;
use super::object::Metadata;
use super::places::{ServicePlace, ServicePlaces};
use super::{Manifests, Options, Source, endpoints, kinds, node, service};
use crate::config::draft::{Draft, Seniority};
use crate::config::field::{self, Field, Mapping};
use crate::config::report::Report;
use crate::config::yaml::{self, Position};
use crate::config::{self, Around, Diagnostic, resources};
use crate::model::{Config, EndpointSlice, Namespace, Node, Service};

/// The objects of all files up to now.
#[derive(Debug)]
pub(super) struct Collection<'a> {
    options: &'a Options,
    configuration: Configuration<'a>,
    services: Vec<Service>,
    slices: Vec<EndpointSlice>,
    /// From Endpoints objects; they count only for Services without slices.
    endpoints: Vec<EndpointSlice>,
    /// Where the Services stand, of files that are looked at before they are applied.
    service_places: ServicePlaces,
    nodes: Vec<Node>,
    namespaces: Vec<Namespace>,
    /// Whether some text could not be read, so that what is missing may have been in it.
    incomplete: bool,
    /// True if the object that is being read is not in force as it is.
    is_newcomer: bool,
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
    Secret,
    Resource(resources::Kind),
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
            ("v1", "Secret") => Self::Secret,
            _ => return resources::Kind::of(api_version, kind).map(Self::Resource),
        })
    }
}

impl Kind {
    /// As Kubernetes writes it.
    fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Endpoints => "Endpoints",
            Self::Node => "Node",
            Self::Namespace => "Namespace",
            Self::Secret => "Secret",
            Self::Resource(kind) => kind.name(),
        }
    }
}

/// Whether the kind says what MetalLB did, which configures nothing.
fn is_status(api_version: &str, kind: &str) -> bool {
    api_version.starts_with("metallb.io/")
        && matches!(kind, "ServiceBGPStatus" | "ServiceL2Status" | "ConfigurationState")
}

/// Kinds of one file that are not read, by version and name.
type Unread = BTreeMap<(String, String), UnreadKind>;

/// The objects of a kind that is not read.
struct UnreadKind {
    count: usize,
    /// Where the first one is.
    position: Position,
    /// Added to the warning.
    hint: &'static str,
}

impl<'a> Collection<'a> {
    /// Nothing yet.
    pub(super) fn new(options: &'a Options) -> Self {
        Self {
            options,
            configuration: Configuration::new(options),
            services: Vec::new(),
            service_places: ServicePlaces::new(),
            slices: Vec::new(),
            endpoints: Vec::new(),
            nodes: Vec::new(),
            namespaces: Vec::new(),
            incomplete: false,
            is_newcomer: true,
            places: BTreeMap::new(),
        }
    }

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
        let template = text.contains("{{").then_some(", a template is rendered first");
        for error in errors {
            let message = format!("{}{}", error.message, template.unwrap_or_default());
            report.error("", error.position, message);
        }

        let mut unread = Unread::new();
        for document in &documents {
            let root = Field::root(document);
            field::repeated_keys(root, &mut report);
            self.add_object(root, None, &mut unread, &mut report);
        }

        for ((api_version, kind), UnreadKind { count, position, hint }) in unread {
            let mut message =
                format!("{kind:?} of {api_version:?} is a kind that is not read{hint}");
            if count > 1 {
                message.push_str(&format!(", {count} times"));
            }
            report.warning("", position, message);
        }
    }

    /// Takes an object of the API server.
    pub(super) fn add_found(&mut self, found: &Found<'_>, diagnostics: &mut Vec<Diagnostic>) {
        let mut report = Report::new(&found.name, diagnostics);
        let kind = Some((found.api_version, found.kind));
        self.is_newcomer = found.is_newcomer;
        self.add_object(Field::root(found.tree), kind, &mut Unread::new(), &mut report);
    }

    /// Takes note that a file could not be read.
    pub(super) fn set_incomplete(&mut self) {
        self.incomplete = true;
    }

    /// Makes the configuration of what was read. `name` is what all files together are called.
    pub(super) fn resolve(&mut self, name: &str, diagnostics: &mut Vec<Diagnostic>) -> Config {
        if self.options.config_required && !self.incomplete {
            self.configuration.require(name, diagnostics);
        }
        self.configuration.resolve(diagnostics)
    }

    /// What the configuration in force says, place by place.
    pub(super) fn draft(&self) -> Option<&Draft> {
        self.configuration.draft()
    }

    /// Looks for what has no effect.
    pub(super) fn lint(&self, config: &Config, diagnostics: &mut Vec<Diagnostic>) {
        if let Some(draft) = self.configuration.draft() {
            let Self { nodes, services, namespaces, .. } = self;
            let around = Around { nodes, services, namespaces };
            config::lint(draft, config, around, diagnostics);
        }
    }

    /// Where the Services stand, once.
    pub(super) fn take_places(&mut self) -> ServicePlaces {
        std::mem::take(&mut self.service_places)
    }

    /// Everything in its order.
    pub(super) fn into_manifests(mut self, config: Config, warnings: Vec<Diagnostic>) -> Manifests {
        let sliced: BTreeSet<_> = self.slices.iter().map(|slice| slice.service.clone()).collect();
        let unsliced = self.endpoints.into_iter().filter(|it| !sliced.contains(&it.service));
        self.slices.extend(unsliced);
        self.slices.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        self.services.sort_by(|a, b| a.key.cmp(&b.key));
        self.nodes.sort_by(|a, b| a.name.cmp(&b.name));
        self.namespaces.sort_by(|a, b| a.name.cmp(&b.name));
        Manifests {
            config,
            services: self.services,
            slices: self.slices,
            nodes: self.nodes,
            namespaces: self.namespaces,
            warnings,
            sources: Vec::new(),
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
                self.configuration.add_bare(&field, &object, report);
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
            Some(kind) => self.add_known(kind, &field, &object, report),
            None if is_status(&api_version, &kind) => {}
            None => match kinds::judge(&api_version, &kind) {
                Verdict::Error(message) => report.error(object.path, object.position, message),
                Verdict::Unread(hint) => {
                    let first = UnreadKind { count: 0, position: object.position, hint };
                    unread.entry((api_version, kind)).or_insert(first).count += 1;
                }
            },
        }
    }

    fn add_known(
        &mut self,
        kind: Kind,
        field: &Field<'_>,
        object: &Mapping<'_>,
        report: &mut Report<'_>,
    ) {
        let (mut metadata, is_whole) = Metadata::read(object, report);

        let configures = matches!(kind, Kind::Resource(_) | Kind::Secret);
        if !is_whole {
            // The rest is read all the same, as if it were the configuration, so that every error in it is reported.
            metadata.namespace.clone_from(&self.options.namespace);
            metadata.name = self.options.config_map.clone().unwrap_or_default();
        } else if !metadata.has_namespace && (configures || self.options.lenient) {
            // `kubectl -n` applies objects without a namespace to that of the configuration.
            metadata.namespace.clone_from(&self.options.namespace);
        }
        if is_whole && !self.is_first(kind, &metadata, object, report) {
            return;
        }

        match kind {
            Kind::ConfigMap => self.configuration.add_config_map(&metadata, object, report),
            Kind::Secret => self.configuration.add_secret(&metadata, field, object, report),
            Kind::Resource(kind) => {
                let seniority = Seniority::new(self.is_newcomer, metadata.created);
                self.configuration.add_resource(
                    kind,
                    &metadata,
                    seniority,
                    (field, object),
                    report,
                );
            }
            Kind::Service => {
                if self.options.lenient {
                    let place = ServicePlace::of(object, report);
                    self.service_places.insert(metadata.key(), place);
                }
                self.services.extend(service::read(metadata, object, report));
            }
            Kind::EndpointSlice => self.slices.extend(endpoints::slice(metadata, object, report)),
            Kind::Endpoints => self.endpoints.push(endpoints::endpoints(metadata, object, report)),
            Kind::Node => self.nodes.push(node::read(metadata, object, report)),
            Kind::Namespace => {
                let mut namespace = Namespace::new(metadata.name);
                namespace.labels.extend(metadata.labels.iter());
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
        let identity = match kind {
            Kind::Resource(resources::Kind::OldBgpPeer) => Kind::Resource(resources::Kind::BgpPeer),
            kind => kind,
        };
        let identity = (identity, namespace, metadata.name.clone());
        if let Some(first) = self.places.get(&identity) {
            let name = match kind {
                Kind::Node | Kind::Namespace => metadata.name.clone(),
                _ => metadata.key().to_string(),
            };
            let kind = kind.name();
            let message = format!("{kind} {name} is already at {first}, expected one of a name");
            report.error(object.path, object.position, message);
            return false;
        }
        self.places.insert(identity, report.place(object.position));
        true
    }
}

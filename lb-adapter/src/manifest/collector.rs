//! Collects the objects of all files by kind, and checks rules among all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::configuration::Configuration;
use super::manifests::{Manifests, Source};
use super::metadata::Metadata;
use super::object_kind::{ObjectKind, UnknownKind, is_status};
use super::options::Options;
use super::service_places::{ServicePlace, ServicePlaces};
use super::{endpoints, node, service};
use crate::config::draft::{Draft, Seniority};
use crate::config::field::{self, Field, Mapping};
use crate::config::place::Position;
use crate::config::report::Report;
use crate::config::resources::ResourceKind;
use crate::config::tree::Value;
use crate::config::{self, ClusterObjects, Diagnostic, yaml};
use crate::model::{Config, EndpointSlice, Namespace, Node, Service};

/// An object of the API server.
#[derive(Debug)]
pub struct ApiObject<'a> {
    /// The name that diagnostics use.
    pub name: String,
    /// The API version. The items of a list lack it, and the kind.
    pub api_version: &'a str,
    /// The kind.
    pub kind: &'a str,
    /// The content.
    pub tree: &'a Value,
    /// True if this version is not in force yet. Of two objects that conflict, the newcomer has the error.
    pub is_newcomer: bool,
}

/// The objects of all files so far.
#[derive(Debug)]
pub(super) struct Collector<'a> {
    options: &'a Options,
    configuration: Configuration<'a>,
    services: Vec<Service>,
    slices: Vec<EndpointSlice>,
    /// The slices of Endpoints objects. They only count for Services without EndpointSlices.
    endpoints: Vec<EndpointSlice>,
    /// The places of the Services, if files are only checked.
    service_places: ServicePlaces,
    nodes: Vec<Node>,
    namespaces: Vec<Namespace>,
    /// True if some text could not be read. It may contain the objects that seem to be missing.
    is_incomplete: bool,
    /// True if the object that is being read is new or has changed.
    is_newcomer: bool,
    /// The file and line of each object.
    places: BTreeMap<Identity, String>,
}

/// Kind, namespace and name of an object. The namespace is empty if the kind has none.
type Identity = (ObjectKind, String, String);

/// The kinds of a file that are skipped, by version and name.
type SkippedKinds = BTreeMap<(String, String), SkippedKind>;

/// The objects of a kind that is skipped.
struct SkippedKind {
    count: usize,
    /// The position of the first object.
    position: Position,
    /// The end of the warning.
    hint: &'static str,
}

impl<'a> Collector<'a> {
    /// A collector without objects.
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
            is_incomplete: false,
            is_newcomer: true,
            places: BTreeMap::new(),
        }
    }

    /// Adds the objects of a file.
    pub(super) fn add_file(&mut self, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
        let mut report = Report::new(&source.name, diagnostics);
        let text = match std::str::from_utf8(&source.octets) {
            Ok(text) => text,
            Err(error) => {
                let position = position_after(&source.octets, error.valid_up_to());
                report.error("", position, "expected UTF-8 text");
                self.is_incomplete = true;
                return;
            }
        };

        let (documents, errors) = yaml::documents(text);
        self.is_incomplete |= !errors.is_empty();
        let hint = if text.contains("{{") { ", render the template first" } else { "" };
        for error in errors {
            report.error("", error.position, format!("{}{hint}", error.message));
        }

        let mut skipped = SkippedKinds::new();
        for document in &documents {
            let root = Field::root(document);
            field::report_repeated_keys(root, &mut report);
            self.add_object(root, None, &mut skipped, &mut report);
        }
        warn_about_skipped(skipped, &mut report);
    }

    /// Adds an object of the API server.
    pub(super) fn add_api_object(
        &mut self,
        object: &ApiObject<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let mut report = Report::new(&object.name, diagnostics);
        let kind = Some((object.api_version, object.kind));
        self.is_newcomer = object.is_newcomer;
        self.add_object(Field::root(object.tree), kind, &mut SkippedKinds::new(), &mut report);
    }

    /// Notes that a file could not be read.
    pub(super) fn set_incomplete(&mut self) {
        self.is_incomplete = true;
    }

    /// Makes the configuration. `name` is the name of all files together in diagnostics.
    pub(super) fn resolve(&mut self, name: &str, diagnostics: &mut Vec<Diagnostic>) -> Config {
        if self.options.config_required && !self.is_incomplete {
            self.configuration.require(name, diagnostics);
        }
        self.configuration.resolve(diagnostics)
    }

    /// Returns the configuration in force as it was read, with its places.
    pub(super) fn draft(&self) -> Option<&Draft> {
        self.configuration.draft()
    }

    /// Warns about settings without effect.
    pub(super) fn lint(&self, config: &Config, diagnostics: &mut Vec<Diagnostic>) {
        let Some(draft) = self.configuration.draft() else { return };
        let Self { nodes, services, namespaces, .. } = self;
        let cluster = ClusterObjects { nodes, services, namespaces };
        config::lint(draft, config, cluster, diagnostics);
    }

    /// Takes the places of the Services.
    pub(super) fn take_service_places(&mut self) -> ServicePlaces {
        std::mem::take(&mut self.service_places)
    }

    /// Returns all objects in the order of their names.
    pub(super) fn into_manifests(mut self, config: Config, warnings: Vec<Diagnostic>) -> Manifests {
        let with_slices: BTreeSet<_> =
            self.slices.iter().map(|slice| slice.service.clone()).collect();
        for slice in self.endpoints {
            if !with_slices.contains(&slice.service) {
                self.slices.push(slice);
            }
        }

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

    /// Adds one object, or the items of a list. In a list of one kind, as the API server answers, the items have no kind of
    /// their own.
    fn add_object(
        &mut self,
        field: Field<'_>,
        list_kind: Option<(&str, &str)>,
        skipped: &mut SkippedKinds,
        report: &mut Report<'_>,
    ) {
        let Some(object) = field.mapping(report) else { return };

        let own_version = object.get("apiVersion");
        let own_kind = object.get("kind");
        let (api_version, kind) = match (own_version, own_kind, list_kind) {
            (None, None, Some(list_kind)) => list_kind,
            (None, _, _) | (_, None, _) => {
                // A value that is not a string is reported instead.
                let is_valid = [own_version, own_kind]
                    .into_iter()
                    .flatten()
                    .all(|field| field.string(report).is_some());
                if is_valid {
                    self.configuration.add_bare(&field, &object, report);
                }
                return;
            }
            (Some(version), Some(kind), _) => {
                let (version, kind) = (version.string(report), kind.string(report));
                let (Some(version), Some(kind)) = (version, kind) else { return };
                (version, kind)
            }
        };

        if let (Some(item_kind), Some(items)) = (kind.strip_suffix("List"), object.get("items")) {
            let list_kind = (!item_kind.is_empty()).then_some((api_version, item_kind));
            let items: Vec<_> = items.list(report).collect();
            for item in items {
                self.add_object(item, list_kind, skipped, report);
            }
            return;
        }

        if let Some(kind) = ObjectKind::of(api_version, kind) {
            self.add_known(kind, &field, &object, report);
        } else if !is_status(api_version, kind) {
            add_unknown(api_version, kind, &object, skipped, report);
        }
    }

    fn add_known(
        &mut self,
        kind: ObjectKind,
        field: &Field<'_>,
        object: &Mapping<'_>,
        report: &mut Report<'_>,
    ) {
        let (mut metadata, is_whole) = Metadata::read(object, report);

        let configures = matches!(kind, ObjectKind::Resource(_) | ObjectKind::Secret);
        if !is_whole {
            // The rest is still read, as if it were the configuration, so that every error in it is reported.
            metadata.namespace.clone_from(&self.options.namespace);
            metadata.name = self.options.config_map.clone().unwrap_or_default();
        } else if !metadata.has_namespace && (configures || self.options.lenient) {
            // `kubectl -n` applies objects without a namespace to the namespace of the configuration.
            metadata.namespace.clone_from(&self.options.namespace);
        }
        if is_whole && !self.is_first(kind, &metadata, object, report) {
            return;
        }

        match kind {
            ObjectKind::ConfigMap => self.configuration.add_config_map(&metadata, object, report),
            ObjectKind::Secret => self.configuration.add_secret(&metadata, field, object, report),
            ObjectKind::Resource(kind) => {
                let seniority = Seniority::new(self.is_newcomer, metadata.created);
                let object = (field, object);
                self.configuration.add_resource(kind, &metadata, seniority, object, report);
            }
            ObjectKind::Service => {
                if self.options.lenient {
                    let place = ServicePlace::of(object, report);
                    self.service_places.insert(metadata.key(), place);
                }
                self.services.extend(service::read(metadata, object, report));
            }
            ObjectKind::EndpointSlice => {
                self.slices.extend(endpoints::slice(metadata, object, report));
            }
            ObjectKind::Endpoints => {
                self.endpoints.push(endpoints::endpoints(metadata, object, report));
            }
            ObjectKind::Node => self.nodes.push(node::read(metadata, object, report)),
            ObjectKind::Namespace => {
                let mut namespace = Namespace::new(metadata.name);
                namespace.labels.extend(metadata.labels.iter());
                self.namespaces.push(namespace);
            }
        }
    }

    /// Remembers the place of an object. Returns false, after a report, if there was one of the same name.
    fn is_first(
        &mut self,
        kind: ObjectKind,
        metadata: &Metadata,
        object: &Mapping<'_>,
        report: &mut Report<'_>,
    ) -> bool {
        let namespace =
            if kind.is_cluster_scoped() { String::new() } else { metadata.namespace.clone() };
        // Both versions of BGPPeer are one kind.
        let identity_kind = match kind {
            ObjectKind::Resource(ResourceKind::OldBgpPeer) => {
                ObjectKind::Resource(ResourceKind::BgpPeer)
            }
            kind => kind,
        };
        let identity = (identity_kind, namespace, metadata.name.clone());

        if let Some(first) = self.places.get(&identity) {
            let name = if kind.is_cluster_scoped() {
                metadata.name.clone()
            } else {
                metadata.key().to_string()
            };
            let message = format!("another {} is named {name} at {first}", kind.name());
            report.error(object.path, object.position, message);
            return false;
        }
        self.places.insert(identity, report.file_and_line(object.position));
        true
    }
}

/// Reports an object of an unknown kind, or adds it to the skipped ones.
fn add_unknown(
    api_version: &str,
    kind: &str,
    object: &Mapping<'_>,
    skipped: &mut SkippedKinds,
    report: &mut Report<'_>,
) {
    match UnknownKind::of(api_version, kind) {
        UnknownKind::Misspelt(message) => report.error(object.path, object.position, message),
        UnknownKind::Foreign { hint } => {
            let identity = (api_version.to_owned(), kind.to_owned());
            let first = SkippedKind { count: 0, position: object.position, hint };
            skipped.entry(identity).or_insert(first).count += 1;
        }
    }
}

/// Warns once about each kind that is skipped.
fn warn_about_skipped(skipped: SkippedKinds, report: &mut Report<'_>) {
    for ((api_version, kind), SkippedKind { count, position, hint }) in skipped {
        let mut message = format!("{kind:?} of {api_version:?} is not read{hint}");
        if count > 1 {
            message.push_str(&format!(" ({count} objects)"));
        }
        report.warning("", position, message);
    }
}

/// Returns the position after so many octets of valid UTF-8.
fn position_after(octets: &[u8], valid: usize) -> Position {
    let valid = String::from_utf8_lossy(octets.get(..valid).unwrap_or_default());
    let line = valid.matches('\n').count() + 1;
    let last_line = valid.rsplit('\n').next().unwrap_or_default();
    Position::new(line, last_line.chars().count() + 1)
}

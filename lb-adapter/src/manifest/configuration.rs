//! The objects of the configuration: the ConfigMap, or `metallb.io` resources with their Secrets.
//!
//! Decides which of the two formats is in force. While the ConfigMap exists, it is the configuration, and resources have no
//! effect. A migration can create them one after the other; when the ConfigMap is deleted, all of them take effect at once.

use std::collections::BTreeMap;

use super::metadata::Metadata;
use super::options::{CONFIG_MAP, Options};
use crate::config::draft::{Draft, SecretDraft, Seniority};
use crate::config::field::{Field, Mapping};
use crate::config::key::Format;
use crate::config::place::Place;
use crate::config::report::{self, Report};
use crate::config::resources::{self, ResourceKind, ResourceMetadata};
use crate::config::tree::Content;
use crate::config::{self, Diagnostic, MissingSecret, Secrets, passwords};
use crate::model::Config;

/// The objects of the configuration that were read so far.
#[derive(Debug)]
pub(super) struct Configuration<'a> {
    options: &'a Options,
    /// The configuration of the ConfigMap or of a bare text, and its place.
    config_map: Option<(Draft, Place)>,
    /// The ConfigMaps that are not the configuration, each with its place.
    other_config_maps: Vec<String>,
    resources: Draft,
    /// The place of the first resource, and the number of resources.
    first_resource: Option<(Place, usize)>,
    secrets: BTreeMap<String, SecretDraft>,
}

impl<'a> Configuration<'a> {
    /// A configuration without objects.
    pub(super) fn new(options: &'a Options) -> Self {
        Self {
            options,
            config_map: None,
            other_config_maps: Vec::new(),
            resources: Draft::new(Format::Resources),
            first_resource: None,
            secrets: BTreeMap::new(),
        }
    }

    /// Returns the name of the ConfigMap, for messages.
    fn config_map_name(&self) -> &str {
        self.options.config_map.as_deref().unwrap_or(CONFIG_MAP)
    }

    /// Adds a ConfigMap.
    pub(super) fn add_config_map(
        &mut self,
        metadata: &Metadata,
        object: &Mapping<'_>,
        report: &mut Report<'_>,
    ) {
        if !self.is_configuration(metadata, object) {
            self.leave_out(metadata, object, report);
            return;
        }
        if let (Some((_, first)), None) = (&self.config_map, &self.options.config_map) {
            let message = format!(
                "another ConfigMap with a configuration is at {first}, expected a single one, or its \
                 name with --config"
            );
            report.error(object.path, object.position, message);
            return;
        }

        // It is the configuration even if its content cannot be read.
        let place = report.place(object.path, object.position);
        let (draft, _) = self.config_map.get_or_insert_with(|| (Draft::default(), place));
        if let Some(read) = read_config_map(object, report) {
            *draft = read;
        }
    }

    /// Returns true if a ConfigMap is the configuration by its namespace and name.
    fn is_configuration(&self, metadata: &Metadata, object: &Mapping<'_>) -> bool {
        if metadata.namespace != self.options.namespace {
            return false;
        }
        match &self.options.config_map {
            Some(name) => metadata.name == *name,
            // Files may also contain other ConfigMaps, such as kube-root-ca.crt.
            None => !self.options.lenient || has_configuration(object),
        }
    }

    /// Remembers a ConfigMap that is not the configuration, and reports the options that would make it so.
    fn leave_out(&mut self, metadata: &Metadata, object: &Mapping<'_>, report: &mut Report<'_>) {
        let namespace = &self.options.namespace;
        let (name, key) = (self.config_map_name(), metadata.key());
        let place = report.file_and_line(object.position);

        let mut message =
            format!("the ConfigMap {key} is ignored, the configuration is {namespace}/{name}");
        let mut other = format!("{key} at {place}");
        if has_configuration(object) {
            let mut options = Vec::new();
            if metadata.namespace != *namespace {
                options.push(format!("--namespace {}", metadata.namespace));
            }
            if self.options.config_map.as_ref().is_some_and(|name| *name != metadata.name) {
                options.push(format!("--config {}", metadata.name));
            }
            let options = options.join(" ");
            message.push_str(&format!("; to read {key}, use {options}"));
            other.push_str(&format!(" (to read it, use {options})"));
        }
        report.warning(object.path, object.position, message);
        self.other_config_maps.push(other);
    }

    /// Adds a mapping without kind: the bare text of a configuration if the options allow one, or else a mistake.
    pub(super) fn add_bare(
        &mut self,
        field: &Field<'_>,
        object: &Mapping<'_>,
        report: &mut Report<'_>,
    ) {
        if !config::looks_like(object) {
            let message = "expected a Kubernetes object with apiVersion and kind";
            report.error(object.path, object.position, message);
            return;
        }
        if !self.options.lenient {
            let message = format!(
                "expected a Kubernetes object: put the configuration under data.{DATA_KEY} of the \
                 ConfigMap {}/{}",
                self.options.namespace,
                self.config_map_name()
            );
            report.error(object.path, object.position, message);
            return;
        }

        if let Some((_, first)) = &self.config_map {
            let message = format!("another configuration is at {first}");
            report.error(object.path, object.position, message);
            return;
        }
        let place = field.place(report);
        self.config_map = Some((config::read_root(*field, report), place));
    }

    /// Adds a `metallb.io` resource. Resources of other namespaces have no effect.
    pub(super) fn add_resource(
        &mut self,
        kind: ResourceKind,
        metadata: &Metadata,
        seniority: Seniority,
        (field, object): (&Field<'_>, &Mapping<'_>),
        report: &mut Report<'_>,
    ) {
        let full_name = format!("{} {}", kind.name(), metadata.key());
        let expected_namespace = &self.options.namespace;
        if metadata.namespace != *expected_namespace {
            let message = format!(
                "{full_name} is ignored, the configuration is in the namespace {expected_namespace}"
            );
            report.warning(object.path, object.position, message);
            return;
        }

        let (_, count) = self.first_resource.get_or_insert_with(|| (field.place(report), 0));
        *count += 1;

        let report = &mut report.about(full_name, object.path);
        let Metadata { namespace, name, labels, .. } = metadata;
        let metadata = ResourceMetadata { namespace, name, labels, seniority };
        resources::read(kind, metadata, object, field, &mut self.resources, report);
    }

    /// Adds a Secret of the configuration's namespace. Others are ignored.
    pub(super) fn add_secret(
        &mut self,
        metadata: &Metadata,
        field: &Field<'_>,
        object: &Mapping<'_>,
        report: &mut Report<'_>,
    ) {
        if metadata.namespace == self.options.namespace {
            let secret = passwords::secret(object, field, report);
            self.secrets.insert(metadata.name.clone(), secret);
        }
    }

    /// Reports an error if there is no configuration at all.
    pub(super) fn require(&self, name: &str, diagnostics: &mut Vec<Diagnostic>) {
        if self.config_map.is_some() || self.first_resource.is_some() {
            return;
        }

        let namespace = &self.options.namespace;
        let config_map = self.config_map_name();
        let mut message = format!(
            "expected a ConfigMap {namespace}/{config_map} or metallb.io resources, found none"
        );
        if !self.other_config_maps.is_empty() {
            message.push_str(&format!(" but {}", self.other_config_maps.join(", ")));
        }
        diagnostics.push(Diagnostic::file_error(name, message));
    }

    /// Makes the configuration from the format in force.
    pub(super) fn resolve(&mut self, diagnostics: &mut Vec<Diagnostic>) -> Config {
        resources::sort(&mut self.resources);
        if let (Some((_, config_map)), Some((first, count))) =
            (&self.config_map, &self.first_resource)
        {
            let resources = if *count == 1 { "resource has" } else { "resources have" };
            let message = format!(
                "{count} metallb.io {resources} no effect while there is a configuration at {config_map}"
            );
            report::warning(diagnostics, first, message);
        }

        let Some(draft) = self.draft() else { return Config::default() };
        let secrets = Secrets { known: &self.secrets, if_missing: self.if_secret_is_missing() };
        config::resolve(draft, secrets, diagnostics)
    }

    fn if_secret_is_missing(&self) -> MissingSecret {
        if !self.options.passwords {
            MissingSecret::Ignored
        } else if self.options.lenient {
            MissingSecret::Warning
        } else {
            MissingSecret::Error
        }
    }

    /// Returns the configuration in force as it was read, with its places.
    pub(super) fn draft(&self) -> Option<&Draft> {
        if let Some((draft, _)) = &self.config_map {
            return Some(draft);
        }
        self.first_resource.is_some().then_some(&self.resources)
    }
}

/// Reads the text under the key of the configuration; none, after a report, if it cannot be read.
fn read_config_map(object: &Mapping<'_>, report: &mut Report<'_>) -> Option<Draft> {
    let data = object.required("data", "the configuration under the key config", report)?;
    let data = data.mapping(report)?;
    if data.fields().all(|(key, _)| key != DATA_KEY) {
        data.only(&[DATA_KEY], report);
        data.required(DATA_KEY, "the configuration as text", report);
        return None;
    }
    for (key, field) in data.fields() {
        if key != DATA_KEY {
            field.warning(report, format!("ignored, the configuration is data.{DATA_KEY}"));
        }
    }

    // An empty text is an empty configuration, and so is null.
    let field = data.get(DATA_KEY)?;
    let text = field.string(report)?;
    let Content::Scalar(scalar) = &field.value.content else { return None };
    let origin = scalar.origin(field.position());
    Some(config::read(text, &mut report.within(origin)))
}

/// Returns true if a ConfigMap has the key of a configuration.
fn has_configuration(object: &Mapping<'_>) -> bool {
    let data = object.get("data");
    let Some(data) = data.as_ref().and_then(|field| field.entries()) else { return false };
    data.fields().any(|(key, _)| key == DATA_KEY)
}

/// The key of the configuration in the data of the ConfigMap.
const DATA_KEY: &str = "config";

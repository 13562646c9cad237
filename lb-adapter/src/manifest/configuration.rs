//! The objects that configure: the ConfigMap, or the resources of today with their Secrets.
//!
//! Owns which of both formats is in force. While the ConfigMap is there it is the configuration, and
//! resources beside it wait: so whoever migrates can create them one after the other, and the day
//! the ConfigMap is deleted they take over as a whole.

use std::collections::BTreeMap;

use super::Options;
use super::object::Metadata;
use crate::config::draft::{Draft, Format, SecretDraft, Seniority};
use crate::config::field::{Field, Mapping};
use crate::config::report::{self, Place, Report};
use crate::config::resources::{self, Named};
use crate::config::yaml::Kind;
use crate::config::{self, Absence, Diagnostic, Secrets};
use crate::model::Config;

/// What configures, up to now.
#[derive(Debug)]
pub(super) struct Configuration<'a> {
    options: &'a Options,
    /// From the ConfigMap, or a bare text, and where it is.
    config_map: Option<(Draft, Place)>,
    /// ConfigMaps that are not the one looked for, and where they stand.
    other_config_maps: Vec<String>,
    resources: Draft,
    /// The first of the resources, and how many there are.
    first_resource: Option<(Place, usize)>,
    secrets: BTreeMap<String, SecretDraft>,
}

impl<'a> Configuration<'a> {
    /// Nothing yet.
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

    /// What the ConfigMap is called, for messages.
    fn name(&self) -> &str {
        self.options.config_map.as_deref().unwrap_or(NAME)
    }

    /// Takes a ConfigMap.
    pub(super) fn add_config_map(
        &mut self,
        metadata: &Metadata,
        object: &Mapping<'_>,
        report: &mut Report<'_>,
    ) {
        let namespace = &self.options.namespace;
        let named = match &self.options.config_map {
            Some(name) => metadata.name == *name,
            // Among files there are those of others, such as kube-root-ca.crt.
            None => !self.options.lenient || has_configuration(object),
        };
        if metadata.namespace != *namespace || !named {
            self.leave_out(metadata, object, report);
            return;
        }
        if let (Some((_, first)), None) = (&self.config_map, &self.options.config_map) {
            let message = format!(
                "another ConfigMap with a configuration is at {}, expected one, or --config with the \
                 name of one",
                first.shown()
            );
            report.error(object.path, object.position, message);
            return;
        }
        let place = report.placed(object.path, object.position);
        // Whatever is wrong with it, this is the configuration.
        let config_map = &mut self.config_map.get_or_insert_with(|| (Draft::default(), place)).0;
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
            Kind::Scalar(scalar) => scalar.origin(field.position()),
            Kind::Null | Kind::Sequence(_) | Kind::Mapping(_) => return,
        };
        *config_map = config::read(text, &mut report.within(origin));
    }

    /// Remembers a ConfigMap that is not the configuration, and reports the options that would make it so.
    fn leave_out(&mut self, metadata: &Metadata, object: &Mapping<'_>, report: &mut Report<'_>) {
        let namespace = &self.options.namespace;
        let (name, key) = (self.name(), metadata.key());
        let place = report.place(object.position);

        let mut message =
            format!("the ConfigMap {key} is not read, the configuration is {namespace}/{name}");
        let mut other = format!("{key} at {place}");
        if has_configuration(object) {
            let mut options = Vec::new();
            if metadata.namespace != *namespace {
                options.push(format!("--namespace {}", metadata.namespace));
            }
            if self.options.config_map.as_ref().is_some_and(|name| *name != metadata.name) {
                options.push(format!("--config {}", metadata.name));
            }
            let hint = format!(", which is read with {}", options.join(" "));
            message.push_str(&hint);
            other.push_str(&hint);
        }
        report.warning(object.path, object.position, message);
        self.other_config_maps.push(other);
    }

    /// Takes a mapping without kind: a bare text where these are read, else a mistake.
    pub(super) fn add_bare(
        &mut self,
        field: &Field<'_>,
        object: &Mapping<'_>,
        report: &mut Report<'_>,
    ) {
        let bare = config::looks_like(object);
        if self.options.lenient && bare {
            if let Some((_, first)) = &self.config_map {
                let message = format!("another configuration is at {}", first.shown());
                report.error(object.path, object.position, message);
                return;
            }
            let place = report.place_of(field);
            self.config_map = Some((config::read_root(*field, report), place));
            return;
        }
        let message = match bare {
            true => format!(
                "expected a Kubernetes object: a configuration goes under data.{DATA_KEY} of the \
                 ConfigMap {}/{}",
                self.options.namespace,
                self.name()
            ),
            false => "expected a Kubernetes object with apiVersion and kind".to_owned(),
        };
        report.error(object.path, object.position, message);
    }

    /// Takes a `metallb.io` resource; those of other namespaces configure nothing.
    pub(super) fn add_resource(
        &mut self,
        kind: resources::Kind,
        metadata: &Metadata,
        seniority: Seniority,
        (field, object): (&Field<'_>, &Mapping<'_>),
        report: &mut Report<'_>,
    ) {
        let namespace = &self.options.namespace;
        if metadata.namespace != *namespace {
            let message = format!(
                "{} {} is not read, the configuration is in the namespace {namespace}",
                kind.name(),
                metadata.key()
            );
            report.warning(object.path, object.position, message);
            return;
        }
        let first = self.first_resource.get_or_insert_with(|| (report.place_of(field), 0));
        first.1 += 1;
        let subject = format!("{} {}", kind.name(), metadata.key());
        let report = &mut report.about(subject, object.path);
        let Metadata { namespace, name, labels, .. } = metadata;
        let named = Named { namespace, name, labels, seniority };
        resources::read(kind, named, object, field, &mut self.resources, report);
    }

    /// Takes a Secret; others than those beside the configuration are nobody's business.
    pub(super) fn add_secret(
        &mut self,
        metadata: &Metadata,
        field: &Field<'_>,
        object: &Mapping<'_>,
        report: &mut Report<'_>,
    ) {
        if metadata.namespace == self.options.namespace {
            let secret = resources::secret(object, field, report);
            self.secrets.insert(metadata.name.clone(), secret);
        }
    }

    /// Reports if there is no configuration at all.
    pub(super) fn require(&self, name: &str, diagnostics: &mut Vec<Diagnostic>) {
        if self.config_map.is_some() || self.first_resource.is_some() {
            return;
        }
        let namespace = &self.options.namespace;
        let config_map = self.name();
        let mut message = format!(
            "expected a ConfigMap {namespace}/{config_map} or metallb.io resources, found none"
        );
        if !self.other_config_maps.is_empty() {
            message.push_str(&format!(" but {}", self.other_config_maps.join(", ")));
        }
        diagnostics.push(Diagnostic::file_error(name, message));
    }

    /// Makes the configuration of what is in force.
    pub(super) fn resolve(&mut self, diagnostics: &mut Vec<Diagnostic>) -> Config {
        resources::sort(&mut self.resources);
        if let (Some((_, config_map)), Some((first, count))) =
            (&self.config_map, &self.first_resource)
        {
            let objects = if *count == 1 { "resource" } else { "resources" };
            let message = format!(
                "{count} metallb.io {objects} without effect while there is a configuration at {}",
                config_map.shown()
            );
            report::warning(diagnostics, first, message);
        }
        let absence = match (self.options.passwords, self.options.lenient) {
            (false, _) => Absence::Nothing,
            (true, true) => Absence::Warning,
            (true, false) => Absence::Error,
        };
        let secrets = Secrets { known: &self.secrets, absence };
        self.draft()
            .map_or_else(Config::default, |draft| config::resolve(draft, secrets, diagnostics))
    }

    /// What is in force, place by place.
    pub(super) fn draft(&self) -> Option<&Draft> {
        let resources = self.first_resource.as_ref().map(|_| &self.resources);
        self.config_map.as_ref().map(|(draft, _)| draft).or(resources)
    }
}

/// Returns true if a ConfigMap has the key of a configuration.
fn has_configuration(object: &Mapping<'_>) -> bool {
    object.get("data").is_some_and(|data| match &data.value.kind {
        Kind::Mapping(entries) => entries.iter().any(|(key, _)| key.text == DATA_KEY),
        Kind::Null | Kind::Scalar(_) | Kind::Sequence(_) => false,
    })
}

/// Where MetalLB 0.7.3 looks for its configuration.
pub const NAME: &str = "config";
const DATA_KEY: &str = "config";

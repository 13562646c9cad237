//! Kubernetes manifests, read into the objects of the model: all files that `kubectl apply -f` accepts, without a cluster.
//!
//! ```text
//! files ── YAML documents ── objects ─┬─ ConfigMap metallb-system/config ── Config
//!                                     ├─ metallb.io, Secret ────────────── Config
//!                                     ├─ Service ───────────────────────── Service
//!                                     ├─ EndpointSlice, Endpoints ──────── EndpointSlice
//!                                     ├─ Node ──────────────────────────── Node
//!                                     └─ Namespace ─────────────────────── Namespace
//! ```
//!
//! Objects are not read strictly, because real ones have many fields that do not matter here. The fields that matter are checked
//! as the API server checks them. The problems of all files are found at once; if one is an error, nothing takes effect.
//!
//! This module owns the kinds of objects and the reading of files. [`crate::config`] owns the meaning of a configuration, and
//! the allocator decides if a Service can have an address.

mod collector;
mod configuration;
mod effective;
mod endpoints;
mod files;
mod manifests;
mod metadata;
mod node;
mod object_kind;
mod options;
mod parse;
mod service;
mod service_places;
mod values;

pub use collector::ApiObject;
pub use effective::{ConfigPresence, EffectiveObjects, ObjectKey, UpdateResult};
pub use effective::{refers, secret_names};
pub use files::files;
pub use files::{is_stdin, limited, load, shown};
pub use manifests::{Manifests, Source};
pub(crate) use object_kind::is_misspelt_kind;
pub use options::CONFIG_MAP;
pub use options::Options;
pub use parse::{Examination, examine, parse_loaded, read_api_objects};
pub use parse::{parse, parse_with, read, read_with};
pub(crate) use service_places::{ServicePlace, ServicePlaces};

#[cfg(test)]
mod arbitrary_tests;
#[cfg(test)]
mod conflicts_tests;
#[cfg(test)]
mod large_tests;
#[cfg(test)]
mod lint_tests;
#[cfg(test)]
mod resources_tests;
#[cfg(test)]
mod silence_tests;
#[cfg(test)]
mod tests;

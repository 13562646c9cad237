//! [`WatchReader`]: the view of a cluster from the lines of its watches, for callers that have received them in their own way.
//!
//! Owns the reading of a line. The cache is that of the controller and the speaker, and decides everything else.

use std::sync::Arc;

use kube::core::WatchEvent as WatchLine;

use super::object_cache::{ObjectCache, Update};
use super::object_tree::ObjectTree;
use super::resource::Kind;
use super::watch::WatchEvent;
use lb_adapter::config::Diagnostic;
use lb_adapter::engine::Change;
use lb_adapter::model::Config;
use lb_adapter::one_line;

/// The resources that a controller and a speaker watch.
const KINDS: [Kind; 12] = [
    Kind::BfdProfile,
    Kind::BgpAdvertisement,
    Kind::BgpPeer,
    Kind::Community,
    Kind::ConfigMap,
    Kind::EndpointSlice,
    Kind::IpAddressPool,
    Kind::L2Advertisement,
    Kind::Namespace,
    Kind::Node,
    Kind::Secret,
    Kind::Service,
];

/// A cluster as its watches deliver it.
///
/// ```
/// use ferrolb_kubernetes::WatchReader;
///
/// let mut reader = WatchReader::new("metallb-system");
/// let pool = r#"{"type": "ADDED", "object": {"metadata": {"namespace": "metallb-system", "name": "a"},
///     "spec": {"addresses": ["192.0.2.0/28"]}}}"#;
/// assert!(reader.take("ipaddresspools", pool.as_bytes()).is_ok());
/// assert_eq!(reader.settle().unwrap().pools[0].name, "a");
/// ```
#[derive(Debug)]
pub struct WatchReader {
    cache: ObjectCache,
}

impl WatchReader {
    /// A cluster whose lists were empty, with its configuration in this namespace.
    pub fn new(namespace: &str) -> Self {
        let mut cache = ObjectCache::new(namespace, KINDS);
        for kind in KINDS {
            cache.take(WatchEvent::Listed(kind, None));
        }
        Self { cache }
    }

    /// Returns the plural names of the resources that are read.
    pub fn resources() -> impl Iterator<Item = &'static str> {
        KINDS.into_iter().map(Kind::plural)
    }

    /// Processes a line of the watch of a resource. Returns the change for the engine, if there is one. A change of the
    /// configuration takes effect with [`settle`](Self::settle).
    ///
    /// # Errors
    ///
    /// The line is not an event, or reports an error. The watch would start over.
    pub fn take(&mut self, resource: &str, line: &[u8]) -> Result<Option<Change>, String> {
        let kind = KINDS.into_iter().find(|kind| kind.plural() == resource);
        let kind = kind.ok_or_else(|| format!("{resource:?} is not watched"))?;

        let line: WatchLine<ObjectTree> = serde_json::from_slice(line)
            .map_err(|error| one_line(&format!("expected an event: {error}")))?;
        let event = match line {
            WatchLine::Added(object) | WatchLine::Modified(object) => {
                WatchEvent::Applied(kind, Box::new(object))
            }
            WatchLine::Deleted(object) => WatchEvent::Deleted(kind, object.name()),
            WatchLine::Bookmark(_) => return Ok(None),
            WatchLine::Error(status) => return Err(format!("the watch has ended: {status:?}")),
        };
        Ok(self.cache.take(event).map(Update::into))
    }

    /// Reads the configuration. Returns it if it has changed and is valid.
    pub fn settle(&mut self) -> Option<Arc<Config>> {
        self.cache.settle()
    }

    /// Returns the errors of the objects that are not in force as they are written.
    pub fn errors(&self) -> &[Diagnostic] {
        &self.cache.config_status().errors
    }

    /// Returns the number of objects that could not be decoded.
    pub fn refused(&self) -> u64 {
        self.cache.counts().refused
    }
}

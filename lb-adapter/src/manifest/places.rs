//! Where Services stand in their files, for what is found wrong with them only when all files are known.

use std::collections::BTreeMap;

use crate::config::field::Mapping;
use crate::config::report::{Place, Report};
use crate::model::ServiceKey;

/// Of each Service.
pub(crate) type ServicePlaces = BTreeMap<ServiceKey, ServicePlace>;

/// Where one stands.
#[derive(Clone, Debug)]
pub(crate) struct ServicePlace {
    /// Its name.
    pub(crate) name: Place,
    /// Its annotations that are for a load balancer, by their names.
    pub(crate) annotations: BTreeMap<String, Place>,
}

impl ServicePlace {
    /// Of this object.
    pub(super) fn of(object: &Mapping<'_>, report: &Report<'_>) -> Self {
        let mut place = Self {
            name: report.placed(object.path, object.position),
            annotations: BTreeMap::new(),
        };
        let Some(metadata) = object.get("metadata") else { return place };
        // Whatever is no mapping has been told.
        let Some(metadata) = metadata.entries() else { return place };
        if let Some(name) = metadata.get("name") {
            place.name = report.place_of(&name);
        }
        let annotations = metadata.get("annotations");
        let Some(annotations) = annotations.as_ref().and_then(|it| it.entries()) else {
            return place;
        };
        let ours = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        for (name, field) in annotations.fields().filter(|(name, _)| ours(name)) {
            place.annotations.insert(name.to_owned(), report.place_of(&field));
        }
        place
    }

    /// Where an annotation stands; the Service's own place if it has none of that name.
    pub(crate) fn annotation(&self, name: &str) -> &Place {
        self.annotations.get(name).unwrap_or(&self.name)
    }
}

/// What annotations begin with that are for a load balancer, MetalLB's old and new ones and ours.
const PREFIXES: [&str; 3] = ["metallb.universe.tf/", "metallb.io/", "ferrolb.io/"];

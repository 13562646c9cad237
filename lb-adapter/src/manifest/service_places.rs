//! The places of Services in their files, for problems that only show once all files are read.

use std::collections::BTreeMap;

use crate::config::field::Mapping;
use crate::config::place::Place;
use crate::config::report::Report;
use crate::model::ServiceKey;

/// The places of all Services.
pub(crate) type ServicePlaces = BTreeMap<ServiceKey, ServicePlace>;

/// The places of a Service.
#[derive(Clone, Debug)]
pub(crate) struct ServicePlace {
    /// The place of its name.
    pub(crate) name: Place,
    /// The places of its annotations for a load balancer, by their names.
    pub(crate) annotations: BTreeMap<String, Place>,
}

impl ServicePlace {
    /// The places of the Service in this object.
    pub(super) fn of(object: &Mapping<'_>, report: &Report<'_>) -> Self {
        let name = report.place(object.path, object.position);
        let mut place = Self { name, annotations: BTreeMap::new() };

        // Values that are not mappings have been reported.
        let metadata = object.get("metadata");
        let Some(metadata) = metadata.as_ref().and_then(|field| field.entries()) else {
            return place;
        };
        if let Some(name) = metadata.get("name") {
            place.name = name.place(report);
        }

        let annotations = metadata.get("annotations");
        let Some(annotations) = annotations.as_ref().and_then(|field| field.entries()) else {
            return place;
        };
        for (name, field) in annotations.fields() {
            if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
                place.annotations.insert(name.to_owned(), field.place(report));
            }
        }
        place
    }

    /// Returns the place of an annotation, or that of the Service if it has no annotation of this name.
    pub(crate) fn annotation(&self, name: &str) -> &Place {
        self.annotations.get(name).unwrap_or(&self.name)
    }
}

/// The prefixes of annotations for a load balancer: MetalLB's old and new ones, and FerroLB's.
const PREFIXES: [&str; 3] = ["metallb.universe.tf/", "metallb.io/", "ferrolb.io/"];

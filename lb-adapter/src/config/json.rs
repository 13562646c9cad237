//! Objects as the API server writes them, read into the same tree as YAML.
//!
//! Large parts that are not needed, such as the annotation of `kubectl apply`, are skipped during reading. Of the managed
//! fields only a summary is kept: the writers of the status. No value of such a tree has a position, because there is no file
//! to look at.

use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::managed_fields::{self, ManagedFields};
use super::place::Position;
use super::schema::ScalarType;
use super::tree::{Content, MappingKey, Scalar, Value};

/// The part of an object that a value belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ObjectPart {
    /// The whole object.
    Whole,
    Metadata,
    Annotations,
    /// Anything else.
    Other,
}

impl ObjectPart {
    /// The part that the value of a key belongs to; `None` if the value is skipped.
    fn of_key(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Self::Whole, "metadata") => Some(Self::Metadata),
            (Self::Metadata, "annotations") => Some(Self::Annotations),
            (Self::Annotations, "kubectl.kubernetes.io/last-applied-configuration") => None,
            _ => Some(Self::Other),
        }
    }
}

/// Reads an object of Kubernetes, without the parts that are not needed.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ObjectPart::Whole.deserialize(deserializer)
    }
}

impl<'de> DeserializeSeed<'de> for ObjectPart {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let content = deserializer.deserialize_any(self)?;
        Ok(Value { position: Position::NOWHERE, content })
    }
}

impl<'de> Visitor<'de> for ObjectPart {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of the Kubernetes API")
    }

    fn visit_unit<E: Error>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Content, E> {
        Ok(scalar(value.to_string(), ScalarType::Boolean(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Content, E> {
        Ok(scalar(value.to_string(), ScalarType::Integer(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Content, E> {
        let scalar_type = i64::try_from(value).map_or(ScalarType::Float, ScalarType::Integer);
        Ok(scalar(value.to_string(), scalar_type))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Content, E> {
        Ok(scalar(value.to_string(), ScalarType::Float))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Content, E> {
        Ok(scalar(text, ScalarType::Text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(Self::Other)? {
            items.push(item);
        }
        Ok(Content::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some(text) = map.next_key::<String>()? {
            let key = MappingKey { text, position: Position::NOWHERE };

            if matches!(self, Self::Metadata) && key.text == "managedFields" {
                let managed = map.next_value::<Option<Vec<ManagedFields>>>()?;
                if let Some(summary) = managed_fields::summary(managed.unwrap_or_default()) {
                    entries.push((key, summary));
                }
                continue;
            }

            let Some(part) = self.of_key(&key.text) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            entries.push((key, map.next_value_seed(part)?));
        }
        Ok(Content::Mapping(entries))
    }
}

fn scalar(text: String, scalar_type: ScalarType) -> Content {
    Content::Scalar(Scalar::new(text, scalar_type))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_of_an_object_that_are_not_needed_are_skipped() {
        let object = json!({"metadata": {"name": "a", "managedFields": [{"manager": "kubectl"}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "b": "c"}},
            "data": {"managedFields": null, "yes": "no", "n": -1, "t": true, "f": 1.5, "l": [[], {}]}});
        let tree = ObjectPart::Whole.deserialize(object.clone()).unwrap();
        let mut expected = object;
        expected["metadata"].as_object_mut().unwrap().remove("managedFields");
        expected["metadata"]["annotations"] = json!({"b": "c"});
        // A fraction stays a text.
        expected["data"]["f"] = json!("1.5");
        assert_eq!(tree.to_json(), expected);
    }

    #[test]
    fn only_the_writers_of_the_status_are_kept_of_the_managed_fields() {
        let fields = json!({"f:status": {"f:loadBalancer": {"f:ingress": {}}}});
        let object = json!({"metadata": {"managedFields": [
            {"manager": "kubectl", "operation": "Apply", "time": "2026-01-01T00:00:00Z",
                "fieldsV1": {"f:spec": {"f:type": {}}}},
            {"manager": "one", "operation": "Update", "subresource": "status",
                "time": "2026-01-01T00:00:01Z", "fieldsV1": fields},
            {"manager": "two", "subresource": "status", "fieldsV1": {"f:status": {"f:conditions": {}}}},
            {"manager": "three", "subresource": "scale", "fieldsV1": null},
        ]}});
        let tree = ObjectPart::Whole.deserialize(object).unwrap();
        let expected = json!({"metadata": {"managedFields": [
            {"manager": "one", "time": "2026-01-01T00:00:01Z", "loadBalancer": "owned"},
            {"manager": "two"},
        ]}});
        assert_eq!(tree.to_json(), expected);
    }
}

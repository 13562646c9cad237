//! Objects as the API server writes them, as the trees that YAML would have become.
//!
//! Large parts that are of no use here, such as the annotation of `kubectl apply`, are skipped while they are read. Of
//! the managed fields only a summary of who wrote the status is kept. Nothing in such a tree has a position, since
//! there is no file to look at.

use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::managed_fields::{self, ManagedFields};
use super::schema::Schema;
use super::yaml::{Key, Kind, Position, Scalar, Value};

/// Which part of an object a value is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// The whole of it.
    Object,
    Metadata,
    Annotations,
    /// Anything else.
    Other,
}

impl Part {
    /// What the value of a key is a part of; `None` is passed over.
    fn of(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Self::Object, "metadata") => Some(Self::Metadata),
            (Self::Metadata, "annotations") => Some(Self::Annotations),
            (Self::Annotations, "kubectl.kubernetes.io/last-applied-configuration") => None,
            _ => Some(Self::Other),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Part {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let kind = deserializer.deserialize_any(self)?;
        Ok(Value { position: NOWHERE, kind })
    }
}

impl<'de> Visitor<'de> for Part {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of the Kubernetes API")
    }

    fn visit_unit<E: Error>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Kind, E> {
        Ok(scalar(value.to_string(), Schema::Boolean(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Kind, E> {
        Ok(scalar(value.to_string(), Schema::Integer(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Kind, E> {
        let schema = i64::try_from(value).map_or(Schema::Float, Schema::Integer);
        Ok(scalar(value.to_string(), schema))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Kind, E> {
        Ok(scalar(value.to_string(), Schema::Float))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Kind, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Kind, E> {
        Ok(scalar(text, Schema::Text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut read = Vec::new();
        while let Some(item) = items.next_element_seed(Self::Other)? {
            read.push(item);
        }
        Ok(Kind::Sequence(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Kind, A::Error> {
        let mut read = Vec::new();
        while let Some(text) = entries.next_key::<String>()? {
            if matches!(self, Self::Metadata) && text == "managedFields" {
                let managed = entries.next_value::<Option<Vec<ManagedFields>>>()?;
                let summary = managed_fields::summary(managed.unwrap_or_default());
                read.extend(summary.map(|it| (Key { text, position: NOWHERE }, it)));
                continue;
            }
            match self.of(&text) {
                Some(part) => {
                    let value = entries.next_value_seed(part)?;
                    read.push((Key { text, position: NOWHERE }, value));
                }
                None => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Kind::Mapping(read))
    }
}

impl Value {
    /// The value of a key; none if it is absent, or this is no mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Kind::Mapping(entries) = &self.kind else { return None };
        entries.iter().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        let Kind::Scalar(scalar) = &self.kind else { return None };
        Some(&scalar.text)
    }

    /// The items of a list; none if it is no list.
    pub fn items(&self) -> &[Self] {
        let Kind::Sequence(items) = &self.kind else { return &[] };
        items
    }

    /// Takes a key out of a mapping.
    pub fn remove(&mut self, key: &str) {
        if let Kind::Mapping(entries) = &mut self.kind {
            entries.retain(|(name, _)| name.text != key);
        }
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        let Kind::Mapping(entries) = &mut self.kind else { return None };
        entries.iter_mut().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }
}

/// Reads an object of Kubernetes, without the parts that have no meaning here.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Part::Object.deserialize(deserializer)
    }
}

pub(super) fn scalar(text: String, schema: Schema) -> Kind {
    Kind::Scalar(Scalar::of(text, schema))
}

/// Line 0 is that of a file as a whole.
pub(super) const NOWHERE: Position = Position { line: 0, column: 0 };

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_a_tree_without_what_says_nothing_here() {
        let object = json!({"metadata": {"name": "a", "managedFields": [{"manager": "kubectl"}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "b": "c"}},
            "data": {"managedFields": null, "yes": "no", "n": -1, "t": true, "f": 1.5, "l": [[], {}]}});
        let tree = Part::Object.deserialize(object.clone()).unwrap();
        let mut expected = object;
        expected["metadata"].as_object_mut().unwrap().remove("managedFields");
        expected["metadata"]["annotations"] = json!({"b": "c"});
        // A fraction stays the text that it is.
        expected["data"]["f"] = json!("1.5");
        assert_eq!(tree.to_json(), expected);
    }

    #[test]
    fn of_managed_fields_only_the_writers_of_the_status_are_kept() {
        let fields = json!({"f:status": {"f:loadBalancer": {"f:ingress": {}}}});
        let object = json!({"metadata": {"managedFields": [
            {"manager": "kubectl", "operation": "Apply", "time": "2026-01-01T00:00:00Z",
                "fieldsV1": {"f:spec": {"f:type": {}}}},
            {"manager": "one", "operation": "Update", "subresource": "status",
                "time": "2026-01-01T00:00:01Z", "fieldsV1": fields},
            {"manager": "two", "subresource": "status", "fieldsV1": {"f:status": {"f:conditions": {}}}},
            {"manager": "three", "subresource": "scale", "fieldsV1": null},
        ]}});
        let tree = Part::Object.deserialize(object).unwrap();
        let expected = json!({"metadata": {"managedFields": [
            {"manager": "one", "time": "2026-01-01T00:00:01Z", "loadBalancer": "owned"},
            {"manager": "two"},
        ]}});
        assert_eq!(tree.to_json(), expected);
    }
}

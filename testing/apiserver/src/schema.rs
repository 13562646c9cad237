//! The schemas of CustomResourceDefinitions. A field that is not in the schema is pruned, and an object that the schema
//! or its rules refuse is invalid. The rules (`x-kubernetes-validations`) check created and updated objects alike, without
//! the previous object.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// The schema of each version of a custom resource.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    versions: BTreeMap<String, (Value, Validator)>,
}

impl Schemas {
    /// The schemas of a CustomResourceDefinition.
    pub(crate) fn of(definition: &Value) -> Result<Self, String> {
        let mut schemas = Self::default();
        for version in
            definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten()
        {
            let name = version["name"].as_str().unwrap_or_default().to_owned();
            let Some(schema) = version.pointer("/schema/openAPIV3Schema") else {
                return Err(format!("version {name} has no schema"));
            };

            let mut standard = schema.clone();
            standardize(&mut standard);
            let validator = jsonschema::options()
                .build(&standard)
                .map_err(|error| format!("version {name}: {error}"))?;
            schemas.versions.insert(name, (schema.clone(), validator));
        }
        Ok(schemas)
    }

    /// Prunes the object, sets defaults, and then checks it.
    pub(crate) fn admit(&self, version: &str, object: &mut Value) -> Result<(), String> {
        let Some((schema, validator)) = self.versions.get(version) else { return Ok(()) };

        // The schemas do not describe these fields in full.
        let identity = ["apiVersion", "kind", "metadata"].map(|key| (key, object[key].clone()));
        prune(schema, object);
        for (key, value) in identity {
            object[key] = value;
        }

        let mut problems = Vec::new();
        for error in validator.iter_errors(object) {
            let path = error.instance_path().to_string();
            let path = path.trim_start_matches('/').replace('/', ".");
            problems.push(format!("{path}: {error}"));
        }
        if !problems.is_empty() {
            return Err(problems.join(", "));
        }

        // As on the real server, rules see only objects that the schema accepts.
        kube_cel::validate(schema, object, None).map_err(|errors| {
            let problems: Vec<String> = errors
                .as_slice()
                .iter()
                .map(|error| format!("{}: {}", error.field_path, error.message))
                .collect();
            problems.join(", ")
        })
    }
}

/// Replaces OpenAPI's keywords by those of JSON Schema.
fn standardize(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("nullable") == Some(&json!(true))
                && let Some(kind) = fields.get("type").cloned()
            {
                fields.insert("type".to_owned(), json!([kind, "null"]));
            }
            if fields.get("x-kubernetes-int-or-string") == Some(&json!(true)) {
                fields.insert("type".to_owned(), json!(["integer", "string"]));
            }
            fields.values_mut().for_each(standardize);
        }
        Value::Array(items) => items.iter_mut().for_each(standardize),
        _ => {}
    }
}

fn prune(schema: &Value, value: &mut Value) {
    if schema["x-kubernetes-preserve-unknown-fields"] == json!(true) {
        return;
    }
    match value {
        Value::Object(fields) => {
            let known = schema["properties"].as_object();
            let additional = &schema["additionalProperties"];
            fields.retain(|key, _| {
                known.is_some_and(|known| known.contains_key(key)) || additional.is_object()
            });
            set_defaults(known, fields);
            for (key, value) in fields.iter_mut() {
                prune(known.and_then(|known| known.get(key)).unwrap_or(additional), value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| prune(&schema["items"], item)),
        _ => {}
    }
}

fn set_defaults(known: Option<&Map<String, Value>>, fields: &mut Map<String, Value>) {
    for (key, schema) in known.into_iter().flatten() {
        if let Some(default) = schema.get("default")
            && !fields.contains_key(key)
        {
            fields.insert(key.clone(), default.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_are_pruned_and_refused_values_are_invalid() {
        let definition = json!({"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": {
            "type": "object", "properties": {
                "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
                "spec": {"type": "object", "required": ["asn"], "properties": {
                    "asn": {"type": "integer", "minimum": 1},
                    "port": {"type": "integer", "default": 179},
                }},
            },
        }}}]}});

        let schemas = Schemas::of(&definition).unwrap();

        let mut object = json!({"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "a"},
            "spec": {"asn": 1, "unknown": true}});
        schemas.admit("v1", &mut object).unwrap();
        assert_eq!(object["spec"], json!({"asn": 1, "port": 179}));
        assert_eq!(object["metadata"]["name"], "a");

        for spec in [json!({}), json!({"asn": 0}), json!({"asn": "1"})] {
            let mut object = json!({"metadata": {"name": "a"}, "spec": spec});
            assert!(schemas.admit("v1", &mut object).is_err(), "{object}");
        }
    }
}

//! The JSON Schema of every answer and of every request.
//!
//! Owns the document that `docs/api/v1.schema.json` holds: a definition for each type, and the type of each path.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::action::{Done, DrainRequest, LogLevel, PeerAction, Refresh};
use crate::{
    ApiError, BfdList, Drain, Event, EventPage, LogLines, NodeList, Peer, PeerList, Pool, PoolList,
    RoutePage, ServiceExplanation, ServiceList, Status,
};

/// Returns the document. `answers` has the type of the answer of each path, `requests` that of each body; both refer to `$defs`.
pub fn schema() -> Schema {
    let mut types = SchemaSettings::draft2020_12().into_generator();
    let answers = [
        ("/v1/status", reference::<Status>(&mut types)),
        ("/v1/nodes", reference::<NodeList>(&mut types)),
        ("/v1/peers", reference::<PeerList>(&mut types)),
        ("/v1/peers/NAME", reference::<Peer>(&mut types)),
        ("/v1/peers/NAME/routes", reference::<RoutePage>(&mut types)),
        ("/v1/services", reference::<ServiceList>(&mut types)),
        ("/v1/services/NAMESPACE/NAME", reference::<ServiceExplanation>(&mut types)),
        ("/v1/pools", reference::<PoolList>(&mut types)),
        ("/v1/pools/NAME", reference::<Pool>(&mut types)),
        ("/v1/bfd", reference::<BfdList>(&mut types)),
        ("/v1/events", reference::<EventPage>(&mut types)),
        ("an event of /v1/events as a stream", reference::<Event>(&mut types)),
        ("/v1/log", reference::<LogLines>(&mut types)),
        ("an action", reference::<Done>(&mut types)),
        ("/v1/drain and /v1/undrain", reference::<Drain>(&mut types)),
        ("an error", reference::<ApiError>(&mut types)),
    ];
    let requests = [
        ("/v1/peers/NAME/reset, disable and enable", reference::<PeerAction>(&mut types)),
        ("/v1/peers/NAME/refresh", reference::<Refresh>(&mut types)),
        ("/v1/log-level", reference::<LogLevel>(&mut types)),
        ("/v1/drain", reference::<DrainRequest>(&mut types)),
    ];

    let mut document = json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The answers of a FerroLB process about itself, version 1",
    });
    document.insert("answers".to_owned(), object(answers));
    document.insert("requests".to_owned(), object(requests));
    document.insert("$defs".to_owned(), types.take_definitions(true).into());
    document
}

fn reference<T: JsonSchema>(types: &mut SchemaGenerator) -> Schema {
    types.subschema_for::<T>()
}

fn object<const N: usize>(entries: [(&str, Schema); N]) -> Value {
    entries.into_iter().map(|(path, schema)| (path.to_owned(), schema.to_value())).collect()
}

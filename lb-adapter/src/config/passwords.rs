//! The passwords of peers, in their configuration and in Secrets. A problem with a password never shows it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;

use super::draft::{Reference, SecretDraft};
use super::field::{Field, Mapping};
use super::key::Format;
use super::report::Report;
use super::schema::ScalarType;
use super::text_hints::unrendered_hint;
use super::tree::Content;
use crate::model::Password;

/// Reads the password of a peer, or the reference to the Secret that has it.
pub(super) fn of_peer(
    mapping: &Mapping<'_>,
    password_key: &str,
    secret_key: &str,
    format: Format,
    report: &mut Report<'_>,
) -> (Option<Password>, Option<Reference>) {
    if mapping.is_null(password_key) {
        let path = mapping.path.key(password_key);
        // The password may have begun with # or &, which have a meaning in YAML.
        let message = "empty: the session has no password; put quotes around a password";
        report.warning(path, mapping.position_of(password_key), message);
    }
    let password_field = mapping.get(password_key);
    let password = password_field.and_then(|field| in_configuration(field, format, report));

    let Some(secret_field) = mapping.get(secret_key) else { return (password, None) };
    let Some(reference) = secret_reference(secret_field, format, report) else {
        return (password, None);
    };
    if mapping.get_filled(password_key).is_some() {
        let message = format!("expected {password_key} or {secret_key}, found both");
        secret_field.error(report, message);
        return (password, None);
    }
    (password, Some(reference))
}

/// Reads the name of a Secret: a text in the ConfigMap, `{name: ...}` in a resource.
fn secret_reference(
    field: Field<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> Option<Reference> {
    if format == Format::ConfigMap {
        return Reference::read(field, format, report);
    }
    let secret = field.mapping(report)?;
    secret.only(&["name", "namespace"], report);
    Reference::read(secret.get_filled("name")?, format, report)
}

fn in_configuration(field: Field<'_>, format: Format, report: &mut Report<'_>) -> Option<Password> {
    if let Content::Scalar(scalar) = &field.value.content
        && format == Format::Resources
        && scalar.scalar_type != ScalarType::Text
    {
        field.error(report, "expected a string, put quotes around it");
        return None;
    }

    let text = field.text(report).filter(|text| !text.is_empty())?;
    if text.len() > LONGEST_PASSWORD {
        field.error(report, too_long(text));
        return None;
    }
    if let Some(hint) = unrendered_hint(text) {
        field.warning(report, suspicious(hint));
    }
    Some(Password::new(text))
}

/// Reads the parts of a Secret that may have the password of a peer.
pub(crate) fn secret(object: &Mapping<'_>, at: &Field<'_>, report: &mut Report<'_>) -> SecretDraft {
    let type_ = object.get("type").and_then(|field| field.string(report)).unwrap_or("Opaque");
    let place = at.place(report);
    let mut secret = SecretDraft { type_: type_.to_owned(), password: None, place };
    if type_ != SECRET_TYPE {
        return secret;
    }

    // The API server lets stringData override data.
    if let Some(text) = object.get("stringData").and_then(|field| field.entry(PASSWORD)) {
        secret.password = in_secret(text.into_owned(), object, report);
    } else if let Some(encoded) = object.get("data").and_then(|field| field.entry(PASSWORD)) {
        let text = decoded(&encoded, object, report);
        secret.password = text.and_then(|text| in_secret(text, object, report));
    }
    secret
}

fn decoded(encoded: &str, object: &Mapping<'_>, report: &mut Report<'_>) -> Option<String> {
    let octets = BASE64.decode(encoded.split_whitespace().collect::<String>()).ok();
    let text = octets.and_then(|octets| String::from_utf8(octets).ok());

    if text.is_none() {
        let mut message = "expected UTF-8 text in base64".to_owned();
        if let Some(hint) = unrendered_hint(encoded) {
            message.push_str(&format!(": {hint}"));
        }
        let (path, at) = (object.path.key("data"), object.position_of("data"));
        report.error(path.key(PASSWORD), at, message);
    }
    text
}

fn in_secret(text: String, object: &Mapping<'_>, report: &mut Report<'_>) -> Option<Password> {
    let key = if object.get("stringData").is_some() { "stringData" } else { "data" };
    let parent = object.path.key(key);
    let (path, at) = (parent.key(PASSWORD), object.position_of(key));

    if text.ends_with('\n') {
        let message = "the password ends with a line break, which is rarely intended";
        report.warning(path, at, message);
    }
    if let Some(hint) = unrendered_hint(&text) {
        report.warning(path, at, suspicious(hint));
    }
    if text.len() > LONGEST_PASSWORD {
        report.error(path, at, too_long(&text));
        return None;
    }
    if text.is_empty() {
        return None;
    }
    Some(Password::new(text))
}

fn suspicious(hint: &str) -> String {
    format!("this is probably not the password: {hint}")
}

fn too_long(text: &str) -> String {
    format!("expected at most {LONGEST_PASSWORD} octets, found {}", text.len())
}

/// The type of a Secret with the password of a peer.
pub(crate) const SECRET_TYPE: &str = "kubernetes.io/basic-auth";
const PASSWORD: &str = "password";
/// The longest key of TCP MD5 signatures that Linux accepts.
const LONGEST_PASSWORD: usize = 80;

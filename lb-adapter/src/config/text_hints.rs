//! Hints for texts that an earlier step should have decrypted, rendered or corrected.

use std::net::IpAddr;

/// Returns a hint if a text is encrypted, or contains a variable or a template. The hint does not contain the text, which may
/// be a password.
pub(super) fn unrendered_hint(text: &str) -> Option<&'static str> {
    if text.starts_with("ENC[") && text.ends_with(']') {
        return Some("it is encrypted by SOPS, decrypt it first");
    }
    if has_brackets(text, "${", "}") || has_brackets(text, "$(", ")") {
        return Some("it contains a variable, run envsubst or whatever replaces it first");
    }
    if has_brackets(text, "{{", "}}") {
        return Some("it contains a template, run helm template first");
    }
    None
}

fn has_brackets(text: &str, open: &str, close: &str) -> bool {
    text.split_once(open).is_some_and(|(_, rest)| rest.contains(close))
}

/// Returns an address, prefix or range without the leading zeros of its IPv4 parts, or `None` if it has no leading zeros. Some
/// programs read such parts as octal numbers, so it is not clear which address is meant.
pub(super) fn without_leading_zeros(text: &str) -> Option<String> {
    let mut ends = Vec::new();
    for end in text.split('-') {
        ends.push(strip_prefix_or_address(end.trim())?);
    }

    let stripped = ends.join("-");
    let written: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    (stripped != written).then_some(stripped)
}

fn strip_prefix_or_address(text: &str) -> Option<String> {
    let Some((address, length)) = text.split_once('/') else { return strip_address(text) };
    Some(format!("{}/{}", strip_address(address)?, length.trim_start()))
}

/// Returns an IPv4 address without leading zeros, or `None` if the text is not an IPv4 address.
fn strip_address(text: &str) -> Option<String> {
    let parts: Vec<String> = text.split('.').map(strip_part).collect();
    let stripped = parts.join(".");
    (parts.len() == 4 && stripped.parse::<IpAddr>().is_ok()).then_some(stripped)
}

fn strip_part(part: &str) -> String {
    match part.trim_start_matches('0') {
        "" if !part.is_empty() => "0".to_owned(),
        stripped => stripped.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encrypted_and_unrendered_texts_are_recognized() {
        for (text, word) in [
            ("ENC[AES256_GCM,data:x,type:str]", "SOPS"),
            ("${ROUTER}", "envsubst"),
            ("10.0.0.${N}", "envsubst"),
            ("$(VAR)", "envsubst"),
            ("{{ .Values.router }}", "helm"),
        ] {
            assert!(unrendered_hint(text).is_some_and(|hint| hint.contains(word)), "{text}");
        }
        for text in ["", "10.0.0.1", "a$b", "{a}", "ENC", "$ {x", "}${"] {
            assert_eq!(unrendered_hint(text), None, "{text}");
        }
    }

    #[test]
    fn leading_zeros_are_removed() {
        for (text, corrected) in [
            ("010.0.0.1", Some("10.0.0.1")),
            ("10.00.000.01", Some("10.0.0.1")),
            ("10.0.0.010/24", Some("10.0.0.10/24")),
            ("10.0.0.010 - 10.0.0.020", Some("10.0.0.10-10.0.0.20")),
            ("10.0.0.1", None),
            ("0.0.0.0/0", None),
            ("fd00::01", None),
            ("10.0.0.1/ 24", None),
            ("010.0.0", None),
            ("1.2.3.999", None),
            ("", None),
        ] {
            assert_eq!(without_leading_zeros(text).as_deref(), corrected, "{text}");
        }
    }
}

//! Hints for texts that an earlier step should have replaced or corrected.

use std::net::IpAddr;

/// Returns a hint if a text is encrypted, or has a variable or a template in it. The hint does not contain the text, which
/// may be a password.
pub(crate) fn unfinished(text: &str) -> Option<&'static str> {
    let within = |open: &str, close: &str| {
        text.find(open).is_some_and(|at| text.get(at..).is_some_and(|rest| rest.contains(close)))
    };
    if text.starts_with("ENC[") && text.ends_with(']') {
        return Some("it is encrypted by SOPS, decrypt it first");
    }
    if within("${", "}") || within("$(", ")") {
        return Some("a variable in it is not replaced, run envsubst or what replaces it first");
    }
    within("{{", "}}").then_some("a template in it is not rendered, run helm template first")
}

/// Returns an address, a prefix or a range without the leading zeros of its IPv4 parts, or None if it has none. Some
/// programs read such parts as octal numbers, so that it is not clear which address is meant.
pub(crate) fn without_zeros(text: &str) -> Option<String> {
    let part = |part: &str| match part.trim_start_matches('0') {
        "" if !part.is_empty() => "0".to_owned(),
        stripped => stripped.to_owned(),
    };
    let address = |text: &str| {
        let parts: Vec<_> = text.split('.').map(part).collect();
        let stripped = parts.join(".");
        (parts.len() == 4 && stripped.parse::<IpAddr>().is_ok()).then_some(stripped)
    };
    let prefix = |text: &str| match text.split_once('/') {
        Some((ip, length)) => Some(format!("{}/{}", address(ip)?, length.trim_start())),
        None => address(text),
    };
    let ends: Option<Vec<_>> = text.split('-').map(|end| prefix(end.trim())).collect();
    let corrected = ends?.join("-");
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    (corrected != plain).then_some(corrected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_not_finished_are_known() {
        for (text, word) in [
            ("ENC[AES256_GCM,data:x,type:str]", "SOPS"),
            ("${ROUTER}", "envsubst"),
            ("10.0.0.${N}", "envsubst"),
            ("$(VAR)", "envsubst"),
            ("{{ .Values.router }}", "helm"),
        ] {
            assert!(unfinished(text).is_some_and(|hint| hint.contains(word)), "{text}");
        }
        for text in ["", "10.0.0.1", "a$b", "{a}", "ENC", "$ {x", "}${"] {
            assert_eq!(unfinished(text), None, "{text}");
        }
    }

    #[test]
    fn leading_zeros_are_taken_out() {
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
            assert_eq!(without_zeros(text).as_deref(), corrected, "{text}");
        }
    }
}

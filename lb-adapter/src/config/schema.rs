//! The types of plain scalars by YAML 1.1, as the Go packages that MetalLB and Kubernetes use resolve them.

/// The type of a scalar that is not null. Quoted scalars are always text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScalarType {
    Text,
    Boolean(bool),
    Integer(i64),
    /// Also an integer beyond 64 bits.
    Float,
}

/// Returns the type of a plain scalar with this text, or `None` if it is null.
pub(super) fn resolve_plain(text: &str) -> Option<ScalarType> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => return None,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => {
            ScalarType::Boolean(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            ScalarType::Boolean(false)
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" => {
            ScalarType::Float
        }
        _ => number_or_text(text),
    })
}

fn number_or_text(text: &str) -> ScalarType {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return ScalarType::Text;
    }

    let text = text.replace('_', "");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(&text)),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };

    if !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)) {
        let integer = i64::from_str_radix(&format!("{sign}{digits}"), radix);
        return integer.map_or(ScalarType::Float, ScalarType::Integer);
    }

    // Rust also parses "inf" and "nan" as numbers, but they begin with a letter and have returned above.
    if text.chars().all(is_of_a_float) && text.parse::<f64>().is_ok() {
        return ScalarType::Float;
    }
    ScalarType::Text
}

fn is_of_a_float(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_resolved_as_in_yaml_1_1() {
        let cases: [(&[&str], Option<ScalarType>); 8] = [
            (&["", "~", "null"], None),
            (&["yes", "On", "TRUE", "y"], Some(ScalarType::Boolean(true))),
            (&["no", "off", "false", "N"], Some(ScalarType::Boolean(false))),
            (
                &["16", "+16", "0x10", "020", "0o20", "1_6", "0b10000"],
                Some(ScalarType::Integer(16)),
            ),
            (&["-1"], Some(ScalarType::Integer(-1))),
            (&["0", "-0", "00"], Some(ScalarType::Integer(0))),
            (&["1.10", "1e3", ".5", ".inf", "9223372036854775808"], Some(ScalarType::Float)),
            (
                &[
                    "64512:10", "10.0.0.1", "1-2", "-", "+", "0x", "0xg", "089x", "tRue", "1m30s",
                    "é", ".",
                ],
                Some(ScalarType::Text),
            ),
        ];
        for (texts, expected) in cases {
            for text in texts {
                assert_eq!(resolve_plain(text), expected, "{text}");
            }
        }
    }
}

//! What YAML 1.1 takes a plain scalar for, as Go's YAML packages do, which MetalLB and Kubernetes
//! read their files with.

/// What a scalar that is not null is taken for; the quoted ones are always text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    Text,
    Boolean(bool),
    Integer(i64),
    /// Also an integer that is beyond 64 bits.
    Float,
}

/// What a plain scalar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plain {
    Null,
    Value(Schema),
}

/// Judges the text of a plain scalar.
pub(crate) fn resolve(text: &str) -> Plain {
    Plain::Value(match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => {
            Schema::Boolean(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            Schema::Boolean(false)
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" => Schema::Float,
        _ => number(text),
    })
}

fn number(text: &str) -> Schema {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Schema::Text;
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
        return integer.map_or(Schema::Float, Schema::Integer);
    }
    // Rust also reads "inf" and "nan", which begin with a letter and so never come here.
    let float = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    match text.chars().all(float) && text.parse::<f64>().is_ok() {
        true => Schema::Float,
        false => Schema::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_what_yaml_1_1_makes_of_them() {
        let cases: [(&[&str], Plain); 8] = [
            (&["", "~", "null"], Plain::Null),
            (&["yes", "On", "TRUE", "y"], Plain::Value(Schema::Boolean(true))),
            (&["no", "off", "false", "N"], Plain::Value(Schema::Boolean(false))),
            (
                &["16", "+16", "0x10", "020", "0o20", "1_6", "0b10000"],
                Plain::Value(Schema::Integer(16)),
            ),
            (&["-1"], Plain::Value(Schema::Integer(-1))),
            (&["0", "-0", "00"], Plain::Value(Schema::Integer(0))),
            (&["1.10", "1e3", ".5", ".inf", "9223372036854775808"], Plain::Value(Schema::Float)),
            (
                &[
                    "64512:10", "10.0.0.1", "1-2", "-", "+", "0x", "0xg", "089x", "tRue", "1m30s",
                    "é", ".",
                ],
                Plain::Value(Schema::Text),
            ),
        ];
        for (texts, expected) in cases {
            for text in texts {
                assert_eq!(resolve(text), expected, "{text}");
            }
        }
    }
}

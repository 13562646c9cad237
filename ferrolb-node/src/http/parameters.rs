//! The parameters of a query, such as `node=kube1&limit=100`.
//!
//! Owns their decoding, and the errors that name a parameter, its value and what was expected. The meaning of a value belongs
//! to [`crate::api`].

use std::collections::BTreeMap;
use std::str::FromStr;

use ferrolb_api::ApiError;
use lb_adapter::model::ServiceKey;
use percent_encoding::percent_decode_str;

use crate::api::Refused;

/// The decoded parameters that have not been read yet.
#[derive(Debug)]
pub(super) struct Parameters {
    values: BTreeMap<String, String>,
}

impl Parameters {
    /// Decodes the part of a URL after the question mark.
    ///
    /// # Errors
    ///
    /// A parameter is not UTF-8, or is there twice.
    pub(super) fn of(query: Option<&str>) -> Result<Self, Refused> {
        let mut values = BTreeMap::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if values.contains_key(&name) {
                return Err(wrong(format!("{name} is there twice: expected it once")));
            }
            values.insert(name, value);
        }
        Ok(Self { values })
    }

    /// Takes a text.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.values.remove(name)
    }

    /// Takes a value of another type. `expected` says what it must be.
    ///
    /// # Errors
    ///
    /// The value is of another form.
    pub(super) fn parsed<T: FromStr>(
        &mut self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, Refused> {
        self.read(name, expected, |text| text.parse().ok())
    }

    /// Takes a value that this function reads. `expected` says what it must be.
    ///
    /// # Errors
    ///
    /// The function returns none.
    pub(super) fn read<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Refused> {
        let Some(text) = self.values.remove(name) else { return Ok(None) };
        match read(&text) {
            Some(value) => Ok(Some(value)),
            None => Err(wrong(format!("{name}={text}: expected {expected}"))),
        }
    }

    /// Takes the name of a Service.
    ///
    /// # Errors
    ///
    /// It has no namespace.
    pub(super) fn service(&mut self, name: &str) -> Result<Option<ServiceKey>, Refused> {
        self.read(name, "NAMESPACE/NAME", |text| {
            let (namespace, name) = text.split_once('/')?;
            Some(ServiceKey::new(namespace, name))
        })
    }

    /// Takes the size of a page.
    ///
    /// # Errors
    ///
    /// It is no number from 1 to 1,000.
    pub(super) fn limit(&mut self) -> Result<usize, Refused> {
        let expected = "a number from 1 to 1000";
        let limit = self.parsed("limit", expected)?.unwrap_or(DEFAULT_LIMIT);
        if (1..=MAX_LIMIT).contains(&limit) {
            return Ok(limit);
        }
        Err(wrong(format!("limit={limit}: expected {expected}")))
    }

    /// Checks that no parameter is left.
    ///
    /// # Errors
    ///
    /// There is one that the path does not know. `known` lists those that it knows.
    pub(super) fn finish(self, known: &[&str]) -> Result<(), Refused> {
        let Some((name, value)) = self.values.first_key_value() else { return Ok(()) };
        let expected = match known {
            [] => "no parameters here".to_owned(),
            known => format!("only {}", known.join(", ")),
        };
        Err(wrong(format!("{name}={value}: expected {expected}")))
    }
}

fn decoded(text: &str) -> Result<String, Refused> {
    let spaces = text.replace('+', " ");
    let decoded = percent_decode_str(&spaces).decode_utf8();
    let decoded = decoded.map_err(|_| wrong(format!("{text}: expected UTF-8")))?;
    Ok(decoded.into_owned())
}

fn wrong(error: String) -> Refused {
    Refused::BadRequest(ApiError::new(error))
}

/// The number of elements on a page that asks for no number.
const DEFAULT_LIMIT: usize = 250;
/// The most elements on a page.
const MAX_LIMIT: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn error<T: std::fmt::Debug>(result: Result<T, Refused>) -> String {
        match result {
            Err(Refused::BadRequest(error)) => error.error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_are_decoded_and_unknown_ones_are_named() {
        let mut parameters =
            Parameters::of(Some("prefix=2001%3Adb8::%2F32&node=a+b&flag&limit=7")).unwrap();
        assert_eq!(parameters.text("prefix").as_deref(), Some("2001:db8::/32"));
        assert_eq!(parameters.text("node").as_deref(), Some("a b"));
        assert_eq!(parameters.limit().unwrap(), 7);
        assert_eq!(error(parameters.finish(&["node"])), "flag=: expected only node");
        assert!(Parameters::of(None).unwrap().finish(&[]).is_ok());
    }

    #[test]
    fn wrong_values_are_refused_with_what_was_expected() {
        for (query, expected) in [
            ("limit=0", "limit=0: expected a number from 1 to 1000"),
            ("limit=1001", "limit=1001: expected a number from 1 to 1000"),
            ("limit=many", "limit=many: expected a number from 1 to 1000"),
        ] {
            assert_eq!(error(Parameters::of(Some(query)).unwrap().limit()), expected);
        }
        assert_eq!(error(Parameters::of(Some("a=1&a=2"))), "a is there twice: expected it once");
        assert_eq!(error(Parameters::of(Some("a=%ff"))), "%ff: expected UTF-8");
    }
}

//! What the server does with Services: defaults and checks.
//!
//! Owns the meaning of a Service's fields. Knows neither requests nor the store.

mod defaults;
mod validation;

pub(crate) use defaults::{drop_fields_of_old_type, set_defaults};
pub(crate) use validation::validate;

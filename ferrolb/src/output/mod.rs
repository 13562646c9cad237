//! The output of commands: JSON for programs; tables, sentences, errors and warnings for people.
//!
//! Owns formats and layout, and decides nothing. A reader that closes stdout is not an error.

mod changes;
mod cluster_view;
mod fold;
mod format;
mod problems;
mod stdout;
mod style;
mod table;
mod text;
mod time_of_day;

pub use changes::changes;
pub use cluster_view::{ClusterView, RouteRow, ServiceRow, SessionRow, WithheldRow};
pub(crate) use fold::{fold_all, stdout_width};
pub use format::{LogFormat, OutputFormat};
pub use problems::Problems;
pub(crate) use stdout::{write_json_line, write_stdout};
pub use style::Style;
pub use text::write_text;
pub use time_of_day::time_of_day;

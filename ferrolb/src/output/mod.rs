//! The output of commands: JSON for programs; tables, sentences, errors and warnings for people.
//!
//! Owns formats and layout, and decides nothing. A reader that closes stdout is not an error.

mod age;
mod changes;
mod cluster_view;
mod counted;
mod fields;
mod fold;
mod format;
mod page;
mod problems;
mod stdout;
mod style;
mod table;
mod text;
mod time_of_day;

pub(crate) use age::{age, ago};
pub use changes::changes;
pub use cluster_view::{ClusterView, RouteRow, ServiceRow, SessionRow, WithheldRow};
pub(crate) use counted::counted;
pub(crate) use fields::Fields;
pub(crate) use fold::{fold, fold_all, stdout_width};
pub use format::{LogFormat, OutputFormat, ViewFormat};
pub(crate) use page::{Look, Page};
pub use problems::Problems;
pub(crate) use stdout::{write_json_line, write_stdout};
pub use style::Style;
pub(crate) use style::{BOLD, DIM, GREEN, RED, YELLOW};
pub(crate) use table::{Cell, Table, coloured, plain};
pub use text::write_text;
pub use time_of_day::time_of_day;

//! Names with values, one below the other.

use std::fmt::Display;
use std::io::{self, Write};

use super::fold::fold;
use super::style::{DIM, Style};
use super::table::Cell;

/// Names with values.
#[derive(Default)]
pub(crate) struct Fields {
    rows: Vec<(String, Cell)>,
}

/// The blanks between names and values.
const GAP: usize = 2;
/// The blanks before names.
const INDENT: usize = 2;

impl Fields {
    /// Adds a name with a value.
    pub(crate) fn add(&mut self, name: impl Display, value: Cell) {
        self.rows.push((name.to_string(), value));
    }

    /// Writes the fields. No line is longer than `limit`, unless a single word is.
    pub(crate) fn write(
        &self,
        out: &mut dyn Write,
        style: Style,
        limit: Option<usize>,
    ) -> io::Result<()> {
        let names = self.rows.iter().map(|(name, _)| name.chars().count());
        let column = INDENT + names.max().unwrap_or(0) + GAP;
        let width = limit.unwrap_or(usize::MAX).saturating_sub(column);

        for (name, value) in &self.rows {
            let mut name = name.as_str();
            for line in fold(&value.text, width, 0) {
                let gap = column - INDENT - name.chars().count();
                let line = style.paint_if(value.colour, &line);
                let written =
                    format!("{:INDENT$}{}{:gap$}{line}", "", style.paint_if(DIM, name), "");
                writeln!(out, "{}", written.trim_end())?;
                name = "";
            }
        }
        Ok(())
    }
}

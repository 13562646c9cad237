//! Tables with aligned columns, as wide as a terminal is.
//!
//! Owns where the columns stand. If a table does not fit, its cells are broken between words; if even that does not help,
//! each row goes on in the next line.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};

use super::fold::fold;
use super::text::{BOLD, DIM, Style};

/// A titled table.
pub(super) struct Table {
    title: Cow<'static, str>,
    headings: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// The content of one column of one row.
pub(super) struct Cell {
    pub(super) text: String,
    /// The parameters of an SGR sequence, or nothing.
    pub(super) colour: &'static str,
}

/// The indentation of the lines in which a row goes on if its columns do not fit.
const CONTINUED: usize = 6;

pub(super) fn plain(text: impl Display) -> Cell {
    Cell { text: text.to_string(), colour: "" }
}

impl Table {
    pub(super) fn new(title: impl Into<Cow<'static, str>>, headings: &[&'static str]) -> Self {
        Self { title: title.into(), headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Writes it. If there is a `limit`, no line is longer, unless a single word is.
    pub(super) fn write(
        &self,
        out: &mut dyn Write,
        style: Style,
        limit: Option<usize>,
    ) -> io::Result<()> {
        writeln!(out, "{}", style.paint(BOLD, &self.title))?;
        if self.rows.is_empty() {
            writeln!(out, "  none")?;
            return writeln!(out);
        }

        let wanted = self.widths(|text| text.chars().count());
        let widths = match limit {
            Some(limit) => narrowed(wanted, &self.widths(longest_word), limit),
            None => Some(wanted),
        };

        let heading = |text: &&str| Cell { text: (*text).to_owned(), colour: DIM };
        let headings: Vec<_> = self.headings.iter().map(heading).collect();
        for row in [&headings].into_iter().chain(&self.rows) {
            match &widths {
                Some(widths) => write_row(out, row, widths, style)?,
                None => write_flowing(out, row, limit.unwrap_or(usize::MAX), style)?,
            }
        }
        writeln!(out)
    }

    /// Returns the width of each column by its widest cell.
    fn widths(&self, of: fn(&str) -> usize) -> Vec<usize> {
        let width = |(column, heading): (usize, &&str)| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| of(&cell.text)).max();
            // A heading of two words is not worth two lines.
            heading.chars().count().max(widest.unwrap_or(0))
        };
        self.headings.iter().enumerate().map(width).collect()
    }
}

fn longest_word(text: &str) -> usize {
    text.split(' ').map(|word| word.chars().count()).max().unwrap_or(0)
}

/// Narrows the columns that can spare most until all fit; returns nothing if they cannot.
fn narrowed(mut widths: Vec<usize>, least: &[usize], limit: usize) -> Option<Vec<usize>> {
    let total = |widths: &[usize]| widths.iter().map(|width| width + 2).sum::<usize>();
    while total(&widths) > limit {
        let spare = |at: &usize| widths[*at].saturating_sub(least[*at]);
        let most = (0..widths.len()).max_by_key(spare).filter(|at| spare(at) > 0)?;
        let excess = total(&widths) - limit;
        widths[most] -= excess.min(spare(&most)).min((spare(&most) / 2).max(1));
    }
    Some(widths)
}

/// Writes a row whose cells may take several lines each.
fn write_row(out: &mut dyn Write, row: &[Cell], widths: &[usize], style: Style) -> io::Result<()> {
    let cells = row.iter().zip(widths).map(|(cell, width)| fold(&cell.text, *width, 0));
    let cells: Vec<_> = cells.collect();

    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..height {
        let mut text = String::new();
        for (column, (cell, lines)) in row.iter().zip(&cells).enumerate() {
            let part = lines.get(line).map_or("", String::as_str);
            text.push_str("  ");
            text.push_str(&painted(part, cell, style));
            if column + 1 < row.len() {
                let width = widths.get(column).copied().unwrap_or(0);
                let missing = width.saturating_sub(part.chars().count());
                text.extend(std::iter::repeat_n(' ', missing));
            }
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

/// Writes a row as words one after the other, since its columns do not fit beside each other.
fn write_flowing(out: &mut dyn Write, row: &[Cell], limit: usize, style: Style) -> io::Result<()> {
    let mut line = String::new();
    let mut column = 0;
    for cell in row {
        for (at, word) in cell.text.split(' ').filter(|word| !word.is_empty()).enumerate() {
            let gap = if at == 0 { 2 } else { 1 };
            let length = word.chars().count();
            if column > CONTINUED && column + gap + length > limit {
                writeln!(out, "{}", line.trim_end())?;
                line = " ".repeat(CONTINUED - gap);
                column = CONTINUED - gap;
            }
            line.extend(std::iter::repeat_n(' ', gap));
            line.push_str(&painted(word, cell, style));
            column += gap + length;
        }
    }
    writeln!(out, "{}", line.trim_end())
}

fn painted(text: &str, cell: &Cell, style: Style) -> String {
    match cell.colour {
        "" => text.to_owned(),
        _ if text.is_empty() => String::new(),
        colour => style.paint(colour, text),
    }
}

//! Tables with aligned columns that fit a terminal.
//!
//! Owns the widths of the columns. If a table does not fit, its cells are broken between words. If that does not help,
//! each row continues on the next line. A row may have notes, which are lines of their own below it.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};

use super::fold::fold;
use super::style::{BOLD, DIM, Style};

/// A table with a title.
pub(crate) struct Table {
    title: Cow<'static, str>,
    headings: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// The notes, each with the number of rows above it.
    notes: Vec<(usize, Cell)>,
}

/// The content of one column of one row.
pub(crate) struct Cell {
    pub(super) text: String,
    /// The parameters of an SGR sequence; empty for no colour.
    pub(super) colour: &'static str,
}

/// The indentation of continued rows.
const CONTINUATION_INDENT: usize = 6;
/// The blanks before each column.
const GAP: usize = 2;
/// The blanks before each note.
const NOTE_INDENT: usize = 4;

/// Returns a cell without a colour.
pub(crate) fn plain(text: impl Display) -> Cell {
    Cell { text: text.to_string(), colour: "" }
}

/// Returns a cell with a colour.
pub(crate) fn coloured(text: impl Display, colour: &'static str) -> Cell {
    Cell { text: text.to_string(), colour }
}

impl Cell {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn colour(&self) -> &'static str {
        self.colour
    }
}

impl Table {
    pub(crate) fn new(title: impl Into<Cow<'static, str>>, headings: &[&'static str]) -> Self {
        let (rows, notes) = (Vec::new(), Vec::new());
        Self { title: title.into(), headings: headings.to_vec(), rows, notes }
    }

    /// Removes these columns, the first one first, until the table fits into `limit`.
    pub(crate) fn drop_columns_to_fit(&mut self, limit: Option<usize>, columns: &[&str]) {
        let Some(limit) = limit else { return };
        for heading in columns {
            let least: usize = self.column_widths(longest_word).iter().map(|it| it + GAP).sum();
            if least <= limit {
                return;
            }
            let Some(column) = self.headings.iter().position(|it| it == heading) else { continue };
            self.headings.remove(column);
            for row in self.rows.iter_mut().filter(|row| column < row.len()) {
                row.remove(column);
            }
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    /// Adds a line below the last row.
    pub(crate) fn note(&mut self, note: Cell) {
        self.notes.push((self.rows.len(), note));
    }

    /// Writes the table and a blank line. No line is longer than `limit`, unless a single word is.
    pub(super) fn write(
        &self,
        out: &mut dyn Write,
        style: Style,
        limit: Option<usize>,
    ) -> io::Result<()> {
        self.write_last(out, style, limit)?;
        writeln!(out)
    }

    /// Does the same as [`write`](Self::write) without the blank line.
    pub(crate) fn write_last(
        &self,
        out: &mut dyn Write,
        style: Style,
        limit: Option<usize>,
    ) -> io::Result<()> {
        writeln!(out, "{}", style.paint(BOLD, &self.title))?;
        if self.rows.is_empty() {
            return writeln!(out, "  none");
        }
        self.write_part(out, style, limit, &mut Vec::new())
    }

    /// Writes the rows of this part of a table that is written in several parts, and the headings before the first part.
    /// `widths` has the widths of the columns in the parts before, and is empty before the first.
    pub(crate) fn write_part(
        &self,
        out: &mut dyn Write,
        style: Style,
        limit: Option<usize>,
        widths: &mut Vec<usize>,
    ) -> io::Result<()> {
        let is_first = widths.is_empty();
        let mut wanted = self.column_widths(|text| text.chars().count());
        for (width, before) in wanted.iter_mut().zip(widths.iter()) {
            *width = (*width).max(*before);
        }
        widths.clone_from(&wanted);
        let fitting = match limit {
            Some(limit) => narrow(wanted, &self.column_widths(longest_word), limit),
            None => Some(wanted),
        };

        let write_row = |out: &mut dyn Write, row: &[Cell]| match &fitting {
            Some(widths) => write_row(out, row, widths, style),
            None => write_flowing(out, row, limit.unwrap_or(usize::MAX), style),
        };
        if is_first {
            let headings = self.headings.iter().map(|heading| coloured(heading, DIM));
            write_row(out, &headings.collect::<Vec<_>>())?;
        }

        let mut notes = self.notes.iter().peekable();
        for (number, row) in self.rows.iter().enumerate() {
            write_row(out, row)?;
            while let Some((_, note)) = notes.next_if(|(above, _)| *above <= number + 1) {
                write_note(out, note, limit, style)?;
            }
        }
        Ok(())
    }

    /// Returns the width of each column, by the widest of its cells.
    fn column_widths(&self, text_width: fn(&str) -> usize) -> Vec<usize> {
        let mut widths = Vec::with_capacity(self.headings.len());
        for (column, heading) in self.headings.iter().enumerate() {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| text_width(&cell.text)).max().unwrap_or(0);
            // A heading of two words always stays on one line.
            widths.push(heading.chars().count().max(widest));
        }
        widths
    }
}

fn longest_word(text: &str) -> usize {
    text.split(' ').map(|word| word.chars().count()).max().unwrap_or(0)
}

/// Narrows the columns with the most room until the table fits; returns `None` if it cannot.
fn narrow(mut widths: Vec<usize>, min_widths: &[usize], limit: usize) -> Option<Vec<usize>> {
    loop {
        let total: usize = widths.iter().map(|width| width + GAP).sum();
        let excess = total.saturating_sub(limit);
        if excess == 0 {
            return Some(widths);
        }

        let rooms = widths.iter().zip(min_widths).map(|(width, min)| width.saturating_sub(*min));
        let (column, room) = rooms.enumerate().max_by_key(|(_, room)| *room)?;
        if room == 0 {
            return None;
        }
        // A column gives up half of its room at a time, so that the others take their share.
        widths[column] -= excess.min((room / 2).max(1));
    }
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
            text.extend(std::iter::repeat_n(' ', GAP));
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

/// Writes a row as words one after the other, because its columns do not fit next to each other.
fn write_flowing(out: &mut dyn Write, row: &[Cell], limit: usize, style: Style) -> io::Result<()> {
    let mut line = String::new();
    let mut column = 0;
    for cell in row {
        for (position, word) in cell.text.split(' ').filter(|word| !word.is_empty()).enumerate() {
            let gap = if position == 0 { GAP } else { 1 };
            let length = word.chars().count();
            if column > CONTINUATION_INDENT && column + gap + length > limit {
                writeln!(out, "{}", line.trim_end())?;
                line = " ".repeat(CONTINUATION_INDENT - gap);
                column = CONTINUATION_INDENT - gap;
            }

            line.extend(std::iter::repeat_n(' ', gap));
            line.push_str(&painted(word, cell, style));
            column += gap + length;
        }
    }
    writeln!(out, "{}", line.trim_end())
}

fn write_note(
    out: &mut dyn Write,
    note: &Cell,
    limit: Option<usize>,
    style: Style,
) -> io::Result<()> {
    let width = limit.unwrap_or(usize::MAX).saturating_sub(NOTE_INDENT);
    for line in fold(&note.text, width, 2) {
        writeln!(out, "{:NOTE_INDENT$}{}", "", painted(&line, note, style))?;
    }
    Ok(())
}

fn painted(text: &str, cell: &Cell, style: Style) -> String {
    style.paint_if(cell.colour, text)
}

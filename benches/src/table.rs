//! Tables in Markdown, as the README has them.

use std::fmt::Write;

/// A table whose first column is of words and whose other columns are of numbers.
#[must_use]
pub fn markdown(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::len);
        cells.chain(head.get(column).map(|cell| cell.len())).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        for (column, (cell, width)) in cells.zip(&widths).enumerate() {
            // Writing to a string cannot fail.
            let _ = if column == 0 {
                write!(text, "| {cell:width$} ")
            } else {
                write!(text, "| {cell:>width$} ")
            };
        }
        text.push_str("|\n");
    };
    line(&mut head.iter().copied());
    let rules: Vec<_> =
        (0..head.len()).map(|column| if column == 0 { "---" } else { "--:" }).collect();
    line(&mut rules.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

//! Tables in Markdown, as in the README.

use std::fmt::Write;

/// A table with text in the first column and numbers in the others.
#[must_use]
pub fn markdown(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<_> = head.iter().map(|cell| cell.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }

    let mut text = String::new();
    write_row(&mut text, &widths, head.iter().copied());
    let rules = (0..head.len()).map(|column| if column == 0 { "---" } else { "--:" });
    write_row(&mut text, &widths, rules);
    for row in rows {
        write_row(&mut text, &widths, row.iter().map(String::as_str));
    }
    text
}

fn write_row<'a>(text: &mut String, widths: &[usize], cells: impl Iterator<Item = &'a str>) {
    for (column, (cell, width)) in cells.zip(widths).enumerate() {
        // Writing to a string cannot fail.
        let _ = if column == 0 {
            write!(text, "| {cell:width$} ")
        } else {
            write!(text, "| {cell:>width$} ")
        };
    }
    text.push_str("|\n");
}

//! Prints the JSON Schema of all answers, which `docs/api/v1.schema.json` holds.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(&ferrolb_api::schema())?;
    text.push('\n');
    io::stdout().write_all(text.as_bytes())
}

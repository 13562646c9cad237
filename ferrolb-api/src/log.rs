//! [`LogLines`]: the last lines that a process has logged.

use serde::{Deserialize, Serialize};

/// The answer to `/v1/log`, which only the Unix socket has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogLines {
    /// The lines, the oldest first, in the format of the process's log and without colours.
    pub lines: Vec<String>,
    /// The number of older lines since the start that are not kept.
    pub dropped: u64,
}

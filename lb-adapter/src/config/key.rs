//! The keys of a configuration, in the spelling of each format.

pub(crate) use crate::model::ConfigFormat as Format;

/// A key in the spelling of both formats.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(pub(crate) &'static str, pub(crate) &'static str);

impl Key {
    /// Returns the key in the spelling of this format.
    pub(crate) fn of(self, format: Format) -> &'static str {
        match format {
            Format::ConfigMap => self.0,
            Format::Resources => self.1,
        }
    }
}

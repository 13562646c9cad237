//! The tree that YAML and JSON are read into. Every value remembers its position and its spelling.

use super::place::{Origin, Position};
use super::schema::ScalarType;

/// A value of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The position of the value; for an alias, of its anchor. A mapping or list in block style is at its first entry, a
    /// block scalar at its first line that is not blank.
    pub(crate) position: Position,
    pub(crate) content: Content,
}

/// The content of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Null,
    Scalar(Scalar),
    Sequence(Vec<Value>),
    /// The entries in the order written, including repeated keys.
    Mapping(Vec<(MappingKey, Value)>),
}

/// A scalar that is not null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// The text as written, without quotes and escapes. `64512:10`, `1.10` and `0x10` mean different things to different
    /// fields, so that the spelling is kept.
    pub(crate) text: String,
    /// The type that YAML resolves the text to.
    pub(crate) scalar_type: ScalarType,
    /// True if it is a literal block, whose lines are lines of the file.
    pub(super) is_literal_block: bool,
}

/// A key of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MappingKey {
    pub(crate) text: String,
    pub(crate) position: Position,
}

impl Value {
    /// Returns the value of a key; none if the key is absent or this is not a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Content::Mapping(entries) = &self.content else { return None };
        entries.iter().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }

    /// Returns the value of a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        let Content::Mapping(entries) = &mut self.content else { return None };
        entries.iter_mut().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }

    /// Removes a key from a mapping.
    pub fn remove(&mut self, key: &str) {
        if let Content::Mapping(entries) = &mut self.content {
            entries.retain(|(name, _)| name.text != key);
        }
    }

    /// Returns the text of a scalar.
    pub fn text(&self) -> Option<&str> {
        let Content::Scalar(scalar) = &self.content else { return None };
        Some(&scalar.text)
    }

    /// Returns the items of a list; none if this is not a list.
    pub fn items(&self) -> &[Self] {
        let Content::Sequence(items) = &self.content else { return &[] };
        items
    }

    /// Returns the same value as JSON. Fractions stay texts, because `1.10` is an AS number.
    pub fn to_json(&self) -> serde_json::Value {
        self.to_json_within(MAX_JSON_DEPTH)
    }

    fn to_json_within(&self, depth: usize) -> serde_json::Value {
        let Some(depth) = depth.checked_sub(1) else { return serde_json::Value::Null };

        match &self.content {
            Content::Null => serde_json::Value::Null,
            Content::Scalar(Scalar { text, scalar_type, .. }) => match scalar_type {
                ScalarType::Boolean(value) => (*value).into(),
                ScalarType::Integer(value) => (*value).into(),
                ScalarType::Text | ScalarType::Float => text.as_str().into(),
            },
            Content::Sequence(items) => {
                items.iter().map(|item| item.to_json_within(depth)).collect()
            }
            Content::Mapping(entries) => entries
                .iter()
                .map(|(key, value)| (key.text.clone(), value.to_json_within(depth)))
                .collect(),
        }
    }
}

/// Deeper than any object that is read. Values below are left out.
const MAX_JSON_DEPTH: usize = 100;

impl Scalar {
    /// A scalar of this text that is not a literal block.
    pub(super) fn new(text: String, scalar_type: ScalarType) -> Self {
        Self { text, scalar_type, is_literal_block: false }
    }

    /// Returns the relation of the lines of its text to the lines of its file.
    pub(crate) fn origin(&self, position: Position) -> Origin {
        if !self.is_literal_block {
            return Origin::Scalar(position);
        }

        // The position is that of the first line with a character; the text begins with the blank lines before it.
        let blank_lines = self.text.bytes().take_while(|byte| *byte == b'\n').count();
        let blank_lines = u32::try_from(blank_lines).unwrap_or(u32::MAX);
        let line = position.line.saturating_sub(blank_lines);
        Origin::Block(Position { line, column: position.column })
    }
}

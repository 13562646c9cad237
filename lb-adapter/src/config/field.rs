//! Typed values of a tree, read with a report about each value that is not as expected.
//!
//! Every reader takes the [`Report`]. It returns `None` after it has reported an error, so that its caller can continue with
//! the next value.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use super::key::Format;
use super::place::{Place, Position};
use super::report::Report;
use super::schema::ScalarType;
use super::text_hints::{unrendered_hint, without_leading_zeros};
use super::tree::{Content, MappingKey, Scalar, Value};
use crate::model::Labels;
use crate::spelling::nearest;

/// The keys and indices that lead to a value, borrowed step by step on the way down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldPath<'a> {
    last: Option<(&'a Self, PathStep<'a>)>,
}

#[derive(Clone, Copy, Debug)]
enum PathStep<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> FieldPath<'a> {
    /// The path of the whole document.
    pub(crate) const ROOT: FieldPath<'static> = FieldPath { last: None };

    /// The path of the value of a key.
    pub(crate) fn key<'s>(&'s self, key: &'s str) -> FieldPath<'s>
    where
        'a: 's,
    {
        FieldPath { last: Some((self, PathStep::Key(key))) }
    }

    fn index(&self, index: usize) -> FieldPath<'_> {
        FieldPath { last: Some((self, PathStep::Index(index))) }
    }
}

/// `address-pools[1].name`; keys that are not plain words are quoted: `annotations["a/b"]`.
impl fmt::Display for FieldPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((parent, step)) = self.last else { return Ok(()) };
        parent.fmt(f)?;
        match step {
            PathStep::Index(index) => write!(f, "[{index}]"),
            PathStep::Key(key) if is_plain_word(key) => {
                let dot = if parent.last.is_some() { "." } else { "" };
                write!(f, "{dot}{}", clipped(key))
            }
            PathStep::Key(key) => write!(f, "[{:?}]", clipped(key)),
        }
    }
}

fn is_plain_word(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
}

/// A value and the path that leads to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) value: &'a Value,
    pub(crate) path: FieldPath<'a>,
}

impl<'a> Field<'a> {
    /// The root of a document.
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { value, path: FieldPath::ROOT }
    }

    /// The position of the value in its text.
    pub(crate) fn position(&self) -> Position {
        self.value.position
    }

    /// Returns the place of the value in its file.
    pub(crate) fn place(&self, report: &Report<'_>) -> Place {
        report.place(self.path, self.position())
    }

    /// Reports an error about the value.
    pub(crate) fn error(&self, report: &mut Report<'_>, message: impl Into<String>) {
        report.error(self.path, self.position(), message);
    }

    /// Reports a warning about the value.
    pub(crate) fn warning(&self, report: &mut Report<'_>, message: impl Into<String>) {
        report.warning(self.path, self.position(), message);
    }

    /// Reports a value other than the expected one.
    pub(crate) fn expected(&self, report: &mut Report<'_>, expected: &str) {
        self.error(report, self.hinted(format!("expected {expected}, found {}", self.shown())));
    }

    /// Adds a hint to a message if the value is encrypted or not rendered, or has leading zeros.
    pub(crate) fn hinted(&self, message: String) -> String {
        let Content::Scalar(scalar) = &self.value.content else { return message };

        if let Some(hint) = unrendered_hint(&scalar.text) {
            return format!("{message}: {hint}");
        }
        if let Some(corrected) = without_leading_zeros(&scalar.text) {
            return format!("{message}: addresses have no leading zeros, write {corrected}");
        }
        message
    }

    /// Returns the value as messages show it: short, and without control characters.
    pub(crate) fn shown(&self) -> String {
        match &self.value.content {
            Content::Null => "nothing".to_owned(),
            Content::Sequence(_) => "a list".to_owned(),
            Content::Mapping(_) => "a mapping".to_owned(),
            Content::Scalar(Scalar { text, scalar_type: ScalarType::Text, .. }) => {
                format!("{:?}", clipped(text))
            }
            Content::Scalar(scalar) => clipped(&scalar.text).into_owned(),
        }
    }

    /// Returns the mapping, or nothing and no report if the value is not a mapping.
    pub(crate) fn entries(&self) -> Option<Mapping<'a>> {
        let Content::Mapping(entries) = &self.value.content else { return None };
        Some(Mapping { entries, path: self.path, position: self.position() })
    }

    /// Reads a mapping.
    pub(crate) fn mapping(&self, report: &mut Report<'_>) -> Option<Mapping<'a>> {
        let mapping = self.entries();
        if mapping.is_none() {
            self.expected(report, "a mapping");
        }
        mapping
    }

    /// Reads a mapping. Null is a mapping without entries: the readers of the ConfigMap have always taken a null list entry
    /// that way.
    pub(crate) fn mapping_or_null(&self, report: &mut Report<'_>) -> Option<Mapping<'a>> {
        match &self.value.content {
            Content::Null => {
                Some(Mapping { entries: &[], path: self.path, position: self.position() })
            }
            _ => self.mapping(report),
        }
    }

    /// Reads a list and returns its items. Anything else is reported and has no items.
    pub(crate) fn list(&self, report: &mut Report<'_>) -> impl Iterator<Item = Field<'_>> {
        let items = match &self.value.content {
            Content::Sequence(items) => items.as_slice(),
            Content::Null | Content::Scalar(_) | Content::Mapping(_) => {
                self.expected(report, "a list");
                &[]
            }
        };
        let path = &self.path;
        items.iter().enumerate().map(|(index, value)| Field { value, path: path.index(index) })
    }

    /// Returns true if the value is a list without items.
    pub(crate) fn is_empty_list(&self) -> bool {
        matches!(&self.value.content, Content::Sequence(items) if items.is_empty())
    }

    /// Returns true if the value is an empty string.
    pub(crate) fn is_empty_text(&self) -> bool {
        matches!(&self.value.content, Content::Scalar(scalar) if scalar.text.is_empty())
    }

    /// Returns the text of an entry of a mapping, without any report: for values that must not be shown.
    pub(crate) fn entry(&self, key: &str) -> Option<Cow<'a, str>> {
        let Content::Mapping(entries) = &self.value.content else { return None };
        let (_, value) = entries.iter().find(|(name, _)| name.text == key)?;
        let Content::Scalar(scalar) = &value.content else { return None };
        Some(Cow::Borrowed(&scalar.text))
    }

    /// Reads any scalar as a text: to readers of YAML 1.1 a number or `yes` is a name like any other.
    pub(crate) fn text(&self, report: &mut Report<'_>) -> Option<&'a str> {
        let Content::Scalar(scalar) = &self.value.content else {
            self.expected(report, "a string");
            return None;
        };
        Some(&scalar.text)
    }

    /// Reads a text: any scalar in the ConfigMap, a string in a resource.
    pub(crate) fn word(&self, format: Format, report: &mut Report<'_>) -> Option<&'a str> {
        match format {
            Format::ConfigMap => self.text(report),
            Format::Resources => self.string(report),
        }
    }

    /// Returns true if the value is the number 0.
    pub(crate) fn is_zero(&self) -> bool {
        matches!(
            &self.value.content,
            Content::Scalar(Scalar { scalar_type: ScalarType::Integer(0), .. })
        )
    }

    /// Reads a string as the Kubernetes API does: a number or a boolean without quotes is not a string.
    pub(crate) fn string(&self, report: &mut Report<'_>) -> Option<&'a str> {
        match &self.value.content {
            Content::Scalar(Scalar { text, scalar_type: ScalarType::Text, .. }) => Some(text),
            Content::Scalar(_) => {
                let message = format!("expected a string, found {0}: write \"{0}\"", self.shown());
                self.error(report, message);
                None
            }
            Content::Null | Content::Sequence(_) | Content::Mapping(_) => {
                self.expected(report, "a string");
                None
            }
        }
    }

    /// Reads a boolean, also written as `yes`, `no`, `on` or `off`.
    pub(crate) fn boolean(&self, report: &mut Report<'_>) -> Option<bool> {
        if let Content::Scalar(Scalar { scalar_type: ScalarType::Boolean(value), .. }) =
            &self.value.content
        {
            return Some(*value);
        }
        self.expected(report, "true or false");
        None
    }

    /// Reads a whole number within bounds.
    pub(crate) fn integer<T>(&self, report: &mut Report<'_>, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + fmt::Display,
    {
        let value = self.as_integer().and_then(|value| T::try_from(value).ok());
        let Some(value) = value.filter(|value| range.contains(value)) else {
            self.expected(report, &format!("a number from {} to {}", range.start(), range.end()));
            return None;
        };

        if let Some(text) = self.value.text()
            && is_octal(text)
        {
            let message = format!("the leading zero makes {text} octal: it is read as {value}");
            self.warning(report, message);
        }
        Some(value)
    }

    fn as_integer(&self) -> Option<i64> {
        match &self.value.content {
            Content::Scalar(Scalar { scalar_type: ScalarType::Integer(value), .. }) => Some(*value),
            _ => None,
        }
    }

    /// Reads one of a few words.
    pub(crate) fn choice<T: Copy>(
        &self,
        report: &mut Report<'_>,
        words: &[(&str, T)],
    ) -> Option<T> {
        if let Some(text) = self.value.text()
            && let Some((_, value)) = words.iter().find(|(word, _)| *word == text)
        {
            return Some(*value);
        }
        self.expected(report, &alternatives(words.iter().map(|(word, _)| *word)));
        None
    }

    /// Reads a mapping of strings to strings, such as labels.
    pub(crate) fn strings(&self, report: &mut Report<'_>) -> Labels {
        let Some(mapping) = self.mapping(report) else { return Labels::new() };
        let entries =
            mapping.fields().filter_map(|(key, field)| Some((key, field.string(report)?)));
        entries.collect()
    }
}

/// Returns true if a number is written in decimal digits that YAML 1.1 takes for octal ones.
fn is_octal(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && text.bytes().all(|it| it.is_ascii_digit())
}

/// The entries of a mapping and the path that leads to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapping<'a> {
    entries: &'a [(MappingKey, Value)],
    pub(crate) path: FieldPath<'a>,
    pub(crate) position: Position,
}

impl Mapping<'_> {
    /// Returns the value of a key; none if the key is absent or its value is null.
    pub(crate) fn get<'s>(&'s self, key: &'s str) -> Option<Field<'s>> {
        let (_, value) = self.entry(key)?;
        if matches!(value.content, Content::Null) {
            return None;
        }
        Some(Field { value, path: self.path.key(key) })
    }

    fn entry(&self, key: &str) -> Option<&(MappingKey, Value)> {
        self.entries.iter().find(|(name, _)| name.text == key)
    }

    /// The same mapping without its entries.
    pub(crate) fn without_entries(&self) -> Mapping<'_> {
        Mapping { entries: &[], ..*self }
    }

    /// Returns true if the key is there without a value.
    pub(crate) fn is_null(&self, key: &str) -> bool {
        self.entry(key).is_some_and(|(_, value)| matches!(value.content, Content::Null))
    }

    /// Returns the position of a key, or that of the mapping if the key is absent.
    pub(crate) fn position_of(&self, key: &str) -> Position {
        self.entry(key).map_or(self.position, |(name, _)| name.position)
    }

    /// Returns the value of a key that must be there.
    pub(crate) fn required<'s>(
        &'s self,
        key: &'s str,
        expected: &str,
        report: &mut Report<'_>,
    ) -> Option<Field<'s>> {
        let field = self.get(key);
        if field.is_none() {
            let at = self.position_of(key);
            report.error(self.path.key(key), at, format!("missing, expected {expected}"));
        }
        field
    }

    /// Reads the boolean under a key; none if the key is absent.
    pub(crate) fn boolean(&self, key: &str, report: &mut Report<'_>) -> Option<bool> {
        self.get(key)?.boolean(report)
    }

    /// Returns the value of a key, unless it is absent, null or an empty string.
    pub(crate) fn get_filled<'s>(&'s self, key: &'s str) -> Option<Field<'s>> {
        self.get(key).filter(|field| !field.is_empty_text())
    }

    /// Returns all entries, including those with null values.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, Field<'_>)> {
        let path = &self.path;
        self.entries.iter().map(move |(key, value)| {
            (key.text.as_str(), Field { value, path: path.key(&key.text) })
        })
    }

    /// Reports every key that is not among the known ones.
    pub(crate) fn only(&self, known: &[&str], report: &mut Report<'_>) {
        for (key, _) in self.entries {
            if known.contains(&key.text.as_str()) {
                continue;
            }
            let hint = match nearest(&key.text, known.iter().copied()) {
                Some(nearest) => format!("did you mean {nearest}?"),
                None => format!("expected {}", alternatives(known.iter().copied())),
            };
            report.error(self.path.key(&key.text), key.position, format!("unknown key, {hint}"));
        }
    }
}

/// Reports every key that a mapping in the tree has twice.
pub(crate) fn report_repeated_keys(field: Field<'_>, report: &mut Report<'_>) {
    match &field.value.content {
        Content::Null | Content::Scalar(_) => {}
        Content::Sequence(items) => {
            for (index, value) in items.iter().enumerate() {
                report_repeated_keys(Field { value, path: field.path.index(index) }, report);
            }
        }
        Content::Mapping(entries) => {
            let mut seen = BTreeMap::new();
            for (key, value) in entries {
                let path = field.path.key(&key.text);

                if let Some(first) = seen.get(key.text.as_str()) {
                    let first = report.file_and_line(*first);
                    let message = format!("repeated key, it is also at {first}");
                    report.error(path, key.position, message);
                    continue;
                }
                seen.insert(key.text.as_str(), key.position);
                report_repeated_keys(Field { value, path }, report);
            }
        }
    }
}

/// Returns the words as alternatives: `a, b or c`.
pub(crate) fn alternatives<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.collect();
    match words.as_slice() {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Returns the text, or its beginning if it is long.
pub(crate) fn clipped(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

/// The most characters of a value that a message shows.
const MOST_SHOWN: usize = 60;

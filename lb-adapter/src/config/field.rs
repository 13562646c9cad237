//! Reading typed values out of a tree, complaining about each that is not as expected.
//!
//! Every reader takes the [`Report`] and gives `None` after it has reported an error, so that its
//! caller can go on with the next value.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use super::draft::Format;
use super::report::Report;
use super::schema::Schema;
use super::unfinished::{unfinished, without_zeros};
use super::yaml::{Kind, Position, Scalar, Value};
use crate::model::Labels;
use crate::spelling::nearest;

/// The keys and indices that lead to a value; borrowed step by step while descending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'a> {
    last: Option<(&'a Self, Step<'a>)>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    /// The whole document.
    pub(crate) const ROOT: Path<'static> = Path { last: None };

    /// The value of a key.
    pub(crate) fn key<'s>(&'s self, key: &'s str) -> Path<'s>
    where
        'a: 's,
    {
        Path { last: Some((self, Step::Key(key))) }
    }

    fn index(&self, index: usize) -> Path<'_> {
        Path { last: Some((self, Step::Index(index))) }
    }
}

/// `address-pools[1].name`; keys that are not plain words are quoted: `annotations["a/b"]`.
impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((parent, step)) = self.last else { return Ok(()) };
        parent.fmt(f)?;
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
        match step {
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) if !key.is_empty() && key.chars().all(plain) => {
                let dot = if parent.last.is_some() { "." } else { "" };
                write!(f, "{dot}{}", clipped(key))
            }
            Step::Key(key) => write!(f, "[{:?}]", clipped(key)),
        }
    }
}

/// A value and the path that leads to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) value: &'a Value,
    pub(crate) path: Path<'a>,
}

impl<'a> Field<'a> {
    /// The root of a document.
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { value, path: Path::ROOT }
    }

    /// Where it stands.
    pub(crate) fn position(&self) -> Position {
        self.value.position
    }

    /// Reports an error about it.
    pub(crate) fn error(&self, report: &mut Report<'_>, message: impl Into<String>) {
        report.error(self.path, self.position(), message);
    }

    /// Reports a warning about it.
    pub(crate) fn warning(&self, report: &mut Report<'_>, message: impl Into<String>) {
        report.warning(self.path, self.position(), message);
    }

    /// Reports that it is not what was expected.
    pub(crate) fn expected(&self, report: &mut Report<'_>, expected: &str) {
        self.error(report, self.hinted(format!("expected {expected}, found {}", self.shown())));
    }

    /// Adds a hint to a message if the text is unfinished, or has leading zeros.
    pub(crate) fn hinted(&self, message: String) -> String {
        let Kind::Scalar(scalar) = &self.value.kind else { return message };
        if let Some(hint) = unfinished(&scalar.text) {
            return format!("{message}: {hint}");
        }
        match without_zeros(&scalar.text) {
            Some(corrected) => {
                format!("{message}: an address has no leading zeros, write {corrected}")
            }
            None => message,
        }
    }

    /// The value for a message: short, and without control characters.
    pub(crate) fn shown(&self) -> String {
        match &self.value.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Sequence(_) => "a list".to_owned(),
            Kind::Mapping(_) => "a mapping".to_owned(),
            Kind::Scalar(Scalar { text, schema: Schema::Text, .. }) => {
                format!("{:?}", clipped(text))
            }
            Kind::Scalar(scalar) => clipped(&scalar.text).into_owned(),
        }
    }

    /// The entries, if it is a mapping; says nothing if it is none.
    pub(crate) fn entries(&self) -> Option<Mapping<'a>> {
        let Kind::Mapping(entries) = &self.value.kind else { return None };
        Some(Mapping { entries, path: self.path, position: self.position() })
    }

    /// A mapping.
    pub(crate) fn mapping(&self, report: &mut Report<'_>) -> Option<Mapping<'a>> {
        let Kind::Mapping(entries) = &self.value.kind else {
            self.expected(report, "a mapping");
            return None;
        };
        Some(Mapping { entries, path: self.path, position: self.position() })
    }

    /// The mapping that this is. Null is one without entries: the ConfigMap's readers have always taken a null list entry
    /// that way.
    pub(crate) fn mapping_or_null(&self, report: &mut Report<'_>) -> Option<Mapping<'a>> {
        match &self.value.kind {
            Kind::Null => {
                Some(Mapping { entries: &[], path: self.path, position: self.position() })
            }
            _ => self.mapping(report),
        }
    }

    /// The items of a list; none, after a complaint, if it is none.
    pub(crate) fn list(&self, report: &mut Report<'_>) -> impl Iterator<Item = Field<'_>> {
        let items = match &self.value.kind {
            Kind::Sequence(items) => items.as_slice(),
            Kind::Null | Kind::Scalar(_) | Kind::Mapping(_) => {
                self.expected(report, "a list");
                &[]
            }
        };
        let path = &self.path;
        items.iter().enumerate().map(|(index, value)| Field { value, path: path.index(index) })
    }

    /// Whether it is a list without items.
    pub(crate) fn is_empty_list(&self) -> bool {
        matches!(&self.value.kind, Kind::Sequence(items) if items.is_empty())
    }

    /// Whether it is a text without characters.
    pub(crate) fn is_empty_text(&self) -> bool {
        matches!(&self.value.kind, Kind::Scalar(scalar) if scalar.text.is_empty())
    }

    /// The text under a key of a mapping, if it is that. Says nothing: for what must not be shown.
    pub(crate) fn entry(&self, key: &str) -> Option<Cow<'a, str>> {
        let Kind::Mapping(entries) = &self.value.kind else { return None };
        let (_, value) = entries.iter().find(|(name, _)| name.text == key)?;
        let Kind::Scalar(scalar) = &value.kind else { return None };
        Some(Cow::Borrowed(&scalar.text))
    }

    /// The text of any scalar: for YAML 1.1 readers a number or `yes` is as good a name as any.
    pub(crate) fn text(&self, report: &mut Report<'_>) -> Option<&'a str> {
        let Kind::Scalar(scalar) = &self.value.kind else {
            self.expected(report, "a text");
            return None;
        };
        Some(&scalar.text)
    }

    /// A text: whatever scalar in the ConfigMap, a string in a resource.
    pub(crate) fn word(&self, format: Format, report: &mut Report<'_>) -> Option<&'a str> {
        match format {
            Format::ConfigMap => self.text(report),
            Format::Resources => self.string(report),
        }
    }

    /// Whether it is the number 0.
    pub(crate) fn is_zero(&self) -> bool {
        matches!(&self.value.kind, Kind::Scalar(Scalar { schema: Schema::Integer(0), .. }))
    }

    /// A string as the Kubernetes API has it: a number or a boolean without quotes is none.
    pub(crate) fn string(&self, report: &mut Report<'_>) -> Option<&'a str> {
        match &self.value.kind {
            Kind::Scalar(Scalar { text, schema: Schema::Text, .. }) => return Some(text),
            Kind::Scalar(_) => {
                let message = format!("expected a string, found {0}: write \"{0}\"", self.shown());
                self.error(report, message);
            }
            Kind::Null | Kind::Sequence(_) | Kind::Mapping(_) => self.expected(report, "a string"),
        }
        None
    }

    /// A boolean; `yes`, `no`, `on` and `off` are some.
    pub(crate) fn boolean(&self, report: &mut Report<'_>) -> Option<bool> {
        if let Kind::Scalar(Scalar { schema: Schema::Boolean(value), .. }) = &self.value.kind {
            return Some(*value);
        }
        self.expected(report, "true or false");
        None
    }

    /// A whole number within bounds.
    pub(crate) fn integer<T>(&self, report: &mut Report<'_>, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + fmt::Display,
    {
        if let Kind::Scalar(Scalar { schema: Schema::Integer(value), text, .. }) = &self.value.kind
            && let Some(value) = T::try_from(*value).ok().filter(|value| range.contains(value))
        {
            if text.len() > 1 && text.starts_with('0') && text.bytes().all(|it| it.is_ascii_digit())
            {
                let message = format!("{text} is octal by its leading zero, and taken as {value}");
                self.warning(report, message);
            }
            return Some(value);
        }
        self.expected(report, &format!("a number from {} to {}", range.start(), range.end()));
        None
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(
        &self,
        report: &mut Report<'_>,
        words: &[(&str, T)],
    ) -> Option<T> {
        if let Kind::Scalar(Scalar { text, .. }) = &self.value.kind
            && let Some((_, value)) = words.iter().find(|(word, _)| word == text)
        {
            return Some(*value);
        }
        self.expected(report, &listed(words.iter().map(|(word, _)| *word)));
        None
    }

    /// A mapping of strings to strings, such as labels.
    pub(crate) fn strings(&self, report: &mut Report<'_>) -> Labels {
        let Some(mapping) = self.mapping(report) else { return Labels::new() };
        let entries =
            mapping.fields().filter_map(|(key, field)| Some((key, field.string(report)?)));
        entries.collect()
    }
}

/// The entries of a mapping and the path that leads to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapping<'a> {
    entries: &'a [(super::yaml::Key, Value)],
    pub(crate) path: Path<'a>,
    pub(crate) position: Position,
}

impl Mapping<'_> {
    /// The value of a key; none if the key is absent or its value is null.
    pub(crate) fn get<'s>(&'s self, key: &'s str) -> Option<Field<'s>> {
        let (_, value) = self.entries.iter().find(|(name, _)| name.text == key)?;
        let present = !matches!(value.kind, Kind::Null);
        present.then(|| Field { value, path: self.path.key(key) })
    }

    /// The same without its entries.
    pub(crate) fn without_entries(&self) -> Mapping<'_> {
        Mapping { entries: &[], ..*self }
    }

    /// Whether the key is there without a value.
    pub(crate) fn is_null(&self, key: &str) -> bool {
        let entry = self.entries.iter().find(|(name, _)| name.text == key);
        entry.is_some_and(|(_, value)| matches!(value.kind, Kind::Null))
    }

    /// Where the key is written; of the mapping itself if it is not there.
    pub(crate) fn position_of(&self, key: &str) -> Position {
        let entry = self.entries.iter().find(|(name, _)| name.text == key);
        entry.map_or(self.position, |(name, _)| name.position)
    }

    /// The value of a key that must be there.
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

    /// All entries, those with null values too.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, Field<'_>)> {
        let path = &self.path;
        self.entries.iter().map(move |(key, value)| {
            (key.text.as_str(), Field { value, path: path.key(&key.text) })
        })
    }

    /// Reports every key that is not among the known ones.
    pub(crate) fn only(&self, known: &[&str], report: &mut Report<'_>) {
        for (key, _) in self.entries.iter().filter(|(key, _)| !known.contains(&key.text.as_str())) {
            let hint = match nearest(&key.text, known.iter().copied()) {
                Some(nearest) => format!("did you mean {nearest}?"),
                None => format!("expected {}", listed(known.iter().copied())),
            };
            report.error(self.path.key(&key.text), key.position, format!("unknown key, {hint}"));
        }
    }
}

/// Reports every key that a mapping in the tree has twice.
pub(crate) fn repeated_keys(field: Field<'_>, report: &mut Report<'_>) {
    match &field.value.kind {
        Kind::Null | Kind::Scalar(_) => {}
        Kind::Sequence(items) => {
            for (index, value) in items.iter().enumerate() {
                repeated_keys(Field { value, path: field.path.index(index) }, report);
            }
        }
        Kind::Mapping(entries) => {
            let mut seen = BTreeMap::new();
            for (key, value) in entries {
                let path = field.path.key(&key.text);
                match seen.get(key.text.as_str()) {
                    Some(first) => {
                        let message =
                            format!("repeated key, it is also at {}", report.place(*first));
                        report.error(path, key.position, message);
                    }
                    None => {
                        seen.insert(key.text.as_str(), key.position);
                        repeated_keys(Field { value, path }, report);
                    }
                }
            }
        }
    }
}

/// `a, b or c`.
pub(crate) fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.collect();
    match words.as_slice() {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The text, or its beginning if it is long.
pub(crate) fn clipped(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

/// Characters of a value that a message shows.
const SHOWN: usize = 60;

//! YAML as a tree that remembers where everything stands and how it was written.
//!
//! Reading into types directly would stop at the first problem. The tree is read whole, so that
//! [`super::field`] can complain about every part of it. It keeps a plain scalar's own spelling,
//! because `64512:10`, `1.10` or `0x10` mean different things to different fields. It is built
//! from the parser's events on a stack of its own, so that no depth of nesting exhausts the
//! thread's.

use std::collections::{BTreeMap, BTreeSet};

use serde_saphyr::granit_parser::{self, Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};

use super::report::Origin;
use super::schema::{self, Plain, Schema};

/// A place in a text, counted from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A node of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Where it is written; for an alias, where its anchor is. A mapping or list in block style
    /// stands at its first entry, a block scalar at its first line that is not blank.
    pub(crate) position: Position,
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Scalar(Scalar),
    Sequence(Vec<Value>),
    /// In the order written; repeated keys are still there.
    Mapping(Vec<(Key, Value)>),
}

/// A scalar that is not null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// The text as written, or what its quoting means.
    pub(crate) text: String,
    /// What YAML takes it for.
    pub(crate) schema: Schema,
    /// Whether it is a literal block, whose lines are lines of the source.
    literal: bool,
}

impl Value {
    /// The same as JSON. What YAML takes for a fraction stays the text that it is: `1.10` is an AS number.
    pub fn to_json(&self) -> serde_json::Value {
        self.to_json_within(MAX_JSON_DEPTH)
    }

    fn to_json_within(&self, depth: usize) -> serde_json::Value {
        let Some(depth) = depth.checked_sub(1) else { return serde_json::Value::Null };
        match &self.kind {
            Kind::Null => serde_json::Value::Null,
            Kind::Scalar(Scalar { text, schema, .. }) => match schema {
                Schema::Boolean(value) => (*value).into(),
                Schema::Integer(value) => (*value).into(),
                Schema::Text | Schema::Float => text.as_str().into(),
            },
            Kind::Sequence(items) => items.iter().map(|it| it.to_json_within(depth)).collect(),
            Kind::Mapping(entries) => entries
                .iter()
                .map(|(key, value)| (key.text.clone(), value.to_json_within(depth)))
                .collect(),
        }
    }
}

/// Deeper than any object that is read; what is below is left out.
const MAX_JSON_DEPTH: usize = 100;

/// A key of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) position: Position,
}

/// Why a document is no tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) position: Position,
    pub(crate) message: String,
}

/// The documents of a text, and why others are missing. Empty documents are left out.
///
/// A document with a mistake is given up and the next one read, unless the limits on nodes are
/// reached: these hold for the whole text.
pub(crate) fn documents(text: &str) -> (Vec<Value>, Vec<SyntaxError>) {
    let mut parser = Parser::new_from_str_with_options(text, options());
    let mut builder = Builder::default();
    let mut errors = Vec::new();
    while let Err(error) = builder.read(&mut parser) {
        errors.push(error);
        builder.give_up_document();
        let exhausted = builder.nodes > MAX_NODES || errors.len() >= MAX_ERRORS;
        if exhausted || !matches!(parser.proceed_next_document(), Ok(true)) {
            break;
        }
    }
    (builder.documents, errors)
}

impl Scalar {
    /// That of this text, which is no block.
    pub(crate) fn of(text: String, schema: Schema) -> Self {
        Self { text, schema, literal: false }
    }

    /// How lines of its text correspond to lines of the source it stands in.
    pub(crate) fn origin(&self, position: Position) -> Origin {
        if !self.literal {
            return Origin::Scalar(position);
        }
        let blank_lines = self.text.bytes().take_while(|byte| *byte == b'\n').count();
        let blank_lines = u32::try_from(blank_lines).unwrap_or(u32::MAX);
        let line = position.line.saturating_sub(blank_lines);
        Origin::Block(Position { line, column: position.column })
    }
}

fn options() -> granit_parser::Options {
    granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    }
}

fn position(marker: Marker) -> Position {
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Position { line: narrow(marker.line()).max(1), column: narrow(marker.col()).saturating_add(1) }
}

fn error(at: Position, message: impl Into<String>) -> SyntaxError {
    SyntaxError { position: at, message: message.into() }
}

/// Turns events into trees.
#[derive(Default)]
struct Builder {
    documents: Vec<Value>,
    /// The collections that are open, outermost first.
    open: Vec<Collection>,
    /// What aliases of this document stand for.
    anchors: BTreeMap<usize, Anchored>,
    /// Nodes made up to now, copies for aliases included.
    nodes: usize,
}

/// A collection that is being read.
struct Collection {
    position: Position,
    anchor: usize,
    /// The count of nodes when it began.
    nodes_before: usize,
    /// How many levels its deepest item has.
    height: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Value>),
    Mapping {
        entries: Vec<(Key, Value)>,
        /// The key whose value comes next.
        key: Option<(Key, Role)>,
        /// Values of `<<`, in the order written.
        merged: Vec<Value>,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Ordinary,
    /// The plain key `<<`, whose value's entries become entries of the mapping.
    Merge,
}

/// A node with an anchor.
struct Anchored {
    value: Value,
    nodes: usize,
    height: usize,
}

impl Builder {
    /// Reads to the end of the text or the first mistake.
    fn read<'a>(&mut self, parser: &mut Parser<'a, StrInput<'a>>) -> Result<(), SyntaxError> {
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|failed| {
                error(position(*failed.marker()), format!("expected YAML: {}", failed.info()))
            })?;
            self.event(event, span)?;
        }
        Ok(())
    }

    fn give_up_document(&mut self) {
        self.open.clear();
        self.anchors.clear();
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        let at = position(span.start);
        match event {
            Event::DocumentStart(..) => self.give_up_document(),
            Event::SequenceStart(_, anchor, tag) => {
                collection_tag(tag.as_deref(), "seq", at)?;
                self.begin(at, anchor, Content::Sequence(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                collection_tag(tag.as_deref(), "map", at)?;
                let (entries, merged) = (Vec::new(), Vec::new());
                self.begin(at, anchor, Content::Mapping { entries, key: None, merged })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(at)?,
            Event::Scalar(text, style, anchor, tag) => {
                let kind = scalar(text.into_owned(), style, tag.as_deref(), at)?;
                // Only a plain << is a merge; "<<" in quotes is a key like any other.
                let merge = style == ScalarStyle::Plain
                    && matches!(&kind, Kind::Scalar(scalar) if scalar.text == "<<");
                self.count(1, at)?;
                self.anchor(anchor, || Value { position: at, kind: kind.clone() }, 1, 0, at)?;
                let role = if merge { Role::Merge } else { Role::Ordinary };
                self.add(Value { position: at, kind }, role, 0)?;
            }
            Event::Alias(anchor) => self.alias(anchor, at)?,
            Event::UnresolvedAlias(_) => {
                return Err(error(at, "an alias of an anchor that is not there"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes a copy of what an alias stands for.
    fn alias(&mut self, anchor: usize, at: Position) -> Result<(), SyntaxError> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(error(at, "an alias within its own anchor has no end"));
        };
        let (nodes, height) = (anchored.nodes, anchored.height);
        if self.open.len() + height > MAX_DEPTH {
            return Err(too_deep(at));
        }
        self.count(nodes, at)?;
        let Some(anchored) = self.anchors.get(&anchor) else { return Ok(()) };
        let value = anchored.value.clone();
        self.add(value, Role::Ordinary, height)
    }

    fn begin(&mut self, at: Position, anchor: usize, content: Content) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(at));
        }
        let nodes_before = self.nodes;
        self.count(1, at)?;
        self.open.push(Collection { position: at, anchor, nodes_before, height: 0, content });
        Ok(())
    }

    fn end(&mut self, at: Position) -> Result<(), SyntaxError> {
        let Some(collection) = self.open.pop() else { return Ok(()) };
        let kind = match collection.content {
            Content::Sequence(items) => Kind::Sequence(items),
            Content::Mapping { entries, merged, .. } => Kind::Mapping(merge(entries, merged)?),
        };
        let value = Value { position: collection.position, kind };
        let (nodes, height) = (self.nodes - collection.nodes_before, collection.height + 1);
        self.anchor(collection.anchor, || value.clone(), nodes, height, at)?;
        self.add(value, Role::Ordinary, height)
    }

    /// Remembers a copy of a node if it has an anchor.
    fn anchor(
        &mut self,
        anchor: usize,
        value: impl FnOnce() -> Value,
        nodes: usize,
        height: usize,
        at: Position,
    ) -> Result<(), SyntaxError> {
        if anchor == 0 {
            return Ok(());
        }
        self.count(nodes, at)?;
        self.anchors.insert(anchor, Anchored { value: value(), nodes, height });
        Ok(())
    }

    /// Puts a whole node where it belongs.
    fn add(&mut self, value: Value, role: Role, height: usize) -> Result<(), SyntaxError> {
        let Some(collection) = self.open.last_mut() else {
            if !matches!(value.kind, Kind::Null) {
                self.documents.push(value);
            }
            return Ok(());
        };
        collection.height = collection.height.max(height);
        match &mut collection.content {
            Content::Sequence(items) => items.push(value),
            Content::Mapping { entries, key, merged } => match key.take() {
                None => *key = Some((as_key(value)?, role)),
                Some((_, Role::Merge)) => merged.push(value),
                Some((key, Role::Ordinary)) => entries.push((key, value)),
            },
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, at: Position) -> Result<(), SyntaxError> {
        self.nodes = self.nodes.saturating_add(nodes);
        match self.nodes {
            ..=MAX_NODES => Ok(()),
            _ => Err(error(at, format!("more than {MAX_NODES} values, aliases expanded"))),
        }
    }
}

/// Checks the tag of a list or mapping.
fn collection_tag(tag: Option<&Tag>, suffix: &str, at: Position) -> Result<(), SyntaxError> {
    match tag {
        Some(tag) if !is_plain_tag(tag) && tag.core_suffix() != Some(suffix) => {
            Err(unknown_tag(tag, at))
        }
        _ => Ok(()),
    }
}

fn too_deep(at: Position) -> SyntaxError {
    error(at, format!("more than {MAX_DEPTH} levels of nesting"))
}

fn unknown_tag(tag: &Tag, at: Position) -> SyntaxError {
    // One that is not YAML's own may be a password that somebody forgot to quote.
    match tag.core_suffix() {
        Some(suffix) => error(at, format!("the tag !!{suffix} does not fit here")),
        None => error(at, "a tag that is not YAML's own, quote a text that begins with !"),
    }
}

/// The tag `!`, which says only "not what it looks like".
fn is_plain_tag(tag: &Tag) -> bool {
    tag.parts() == ("", "!") || tag.parts() == ("!", "")
}

fn scalar(
    text: String,
    style: ScalarStyle,
    tag: Option<&Tag>,
    at: Position,
) -> Result<Kind, SyntaxError> {
    let literal = style == ScalarStyle::Literal;
    let tag = match tag {
        None if style == ScalarStyle::Plain => None,
        None => Some("str"),
        Some(tag) if is_plain_tag(tag) => Some("str"),
        Some(tag) => Some(tag.core_suffix().ok_or_else(|| unknown_tag(tag, at))?),
    };
    let plain = schema::resolve(&text);
    let fits = match (tag, plain) {
        (None, _) | (Some("str"), _) => true,
        (Some("null"), plain) => plain == Plain::Null,
        (Some("bool"), plain) => matches!(plain, Plain::Value(Schema::Boolean(_))),
        (Some("int"), plain) => matches!(plain, Plain::Value(Schema::Integer(_))),
        (Some("float"), Plain::Value(Schema::Integer(_) | Schema::Float)) => true,
        _ => false,
    };
    match (tag, plain) {
        (Some(tag), _) if !fits => {
            Err(error(at, format!("the value does not fit its tag !!{tag}")))
        }
        (Some("str"), _) => Ok(Kind::Scalar(Scalar { text, schema: Schema::Text, literal })),
        (_, Plain::Null) => Ok(Kind::Null),
        (_, Plain::Value(schema)) => Ok(Kind::Scalar(Scalar { text, schema, literal })),
    }
}

fn as_key(value: Value) -> Result<Key, SyntaxError> {
    match value.kind {
        Kind::Scalar(scalar) => Ok(Key { text: scalar.text, position: value.position }),
        Kind::Null | Kind::Sequence(_) | Kind::Mapping(_) => {
            Err(error(value.position, "expected a text as key"))
        }
    }
}

/// Adds the entries of merged mappings whose keys are not there yet.
fn merge(
    mut entries: Vec<(Key, Value)>,
    merged: Vec<Value>,
) -> Result<Vec<(Key, Value)>, SyntaxError> {
    if merged.is_empty() {
        return Ok(entries);
    }
    let mut present: BTreeSet<String> = entries.iter().map(|(key, _)| key.text.clone()).collect();
    for value in merged {
        let sources = match value.kind {
            Kind::Sequence(sources) => sources,
            Kind::Null | Kind::Scalar(_) | Kind::Mapping(_) => vec![value],
        };
        for source in sources {
            let Kind::Mapping(source_entries) = source.kind else {
                return Err(error(source.position, "expected a mapping to merge"));
            };
            let new =
                source_entries.into_iter().filter(|(key, _)| present.insert(key.text.clone()));
            entries.extend(new);
        }
    }
    Ok(entries)
}

/// Levels of nesting; the deepest Kubernetes objects, schemas of schemas, stay far below it.
const MAX_DEPTH: usize = 128;
/// Some 10,000 Services and their slices as the API server prints them. Takes some 100 MB.
const MAX_NODES: usize = 1_000_000;
/// Documents with mistakes in one file, before the rest is not looked at.
const MAX_ERRORS: usize = 50;

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;

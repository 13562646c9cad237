//! YAML texts, read into trees.
//!
//! Deserializing into types directly would stop at the first problem. Instead every document is read as a whole, so that
//! [`super::field`] can report every problem in it. The tree is built from the parser's events on an explicit stack, so that
//! deep nesting cannot exhaust the stack of the thread.

use std::collections::{BTreeMap, BTreeSet};

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};

use super::place::Position;
use super::schema::{self, ScalarType};
use super::tree::{Content, MappingKey, Scalar, Value};

/// A mistake that makes a document unreadable.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) position: Position,
    pub(crate) message: String,
}

/// Returns the documents of a text, without empty ones, and the reasons why some are missing.
///
/// A document with a mistake is dropped, and reading continues with the next one. The limit on values applies to the whole
/// text: once it is reached, nothing more is read.
pub(crate) fn documents(text: &str) -> (Vec<Value>, Vec<SyntaxError>) {
    let mut parser = Parser::new_from_str_with_options(text, options());
    let mut builder = Builder::default();
    let mut errors = Vec::new();

    while let Err(error) = builder.read(&mut parser) {
        errors.push(error);
        builder.drop_document();

        let is_exhausted = builder.nodes > MAX_NODES || errors.len() >= MAX_ERRORS;
        if is_exhausted || !matches!(parser.proceed_next_document(), Ok(true)) {
            break;
        }
    }
    (builder.documents, errors)
}

fn options() -> granit_parser::Options {
    granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    }
}

fn position(marker: Marker) -> Position {
    Position::new(marker.line().max(1), marker.col().saturating_add(1))
}

fn error(at: Position, message: impl Into<String>) -> SyntaxError {
    SyntaxError { position: at, message: message.into() }
}

/// Builds trees from events.
#[derive(Default)]
struct Builder {
    documents: Vec<Value>,
    /// The collections that have begun and not ended, outermost first.
    open: Vec<OpenCollection>,
    /// The values that aliases of this document stand for.
    anchors: BTreeMap<usize, AnchoredValue>,
    /// The number of nodes so far, including copies for aliases.
    nodes: usize,
}

/// A list or mapping that has begun and not ended.
struct OpenCollection {
    position: Position,
    anchor: usize,
    /// The number of nodes when it began.
    nodes_before: usize,
    /// The number of levels of its deepest item.
    height: usize,
    items: OpenItems,
}

enum OpenItems {
    Sequence(Vec<Value>),
    Mapping {
        entries: Vec<(MappingKey, Value)>,
        /// The key whose value comes next.
        key: Option<(MappingKey, KeyRole)>,
        /// The values of `<<`, in the order written.
        merged: Vec<Value>,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum KeyRole {
    Ordinary,
    /// The plain key `<<`. The entries of its value become entries of the mapping.
    Merge,
}

/// A value with an anchor.
struct AnchoredValue {
    value: Value,
    nodes: usize,
    height: usize,
}

impl Builder {
    /// Reads to the end of the text or the first mistake.
    fn read<'a>(&mut self, parser: &mut Parser<'a, StrInput<'a>>) -> Result<(), SyntaxError> {
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|failed| {
                error(position(*failed.marker()), format!("invalid YAML: {}", failed.info()))
            })?;
            self.event(event, span)?;
        }
        Ok(())
    }

    fn drop_document(&mut self) {
        self.open.clear();
        self.anchors.clear();
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        let at = position(span.start);

        match event {
            Event::DocumentStart(..) => self.drop_document(),
            Event::SequenceStart(_, anchor, tag) => {
                check_collection_tag(tag.as_deref(), "seq", at)?;
                self.begin(at, anchor, OpenItems::Sequence(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                check_collection_tag(tag.as_deref(), "map", at)?;
                let (entries, merged) = (Vec::new(), Vec::new());
                self.begin(at, anchor, OpenItems::Mapping { entries, key: None, merged })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(at)?,
            Event::Scalar(text, style, anchor, tag) => {
                let content = scalar(text.into_owned(), style, tag.as_deref(), at)?;
                self.scalar(content, style, anchor, at)?;
            }
            Event::Alias(anchor) => self.alias(anchor, at)?,
            Event::UnresolvedAlias(_) => {
                return Err(error(at, "alias of an unknown anchor"));
            }
            _ => {}
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        content: Content,
        style: ScalarStyle,
        anchor: usize,
        at: Position,
    ) -> Result<(), SyntaxError> {
        // Only a plain << is a merge; "<<" in quotes is a key like any other.
        let is_merge = style == ScalarStyle::Plain
            && matches!(&content, Content::Scalar(scalar) if scalar.text == "<<");
        let role = if is_merge { KeyRole::Merge } else { KeyRole::Ordinary };

        let value = Value { position: at, content };
        self.count(1, at)?;
        self.anchor(anchor, &value, 1, 0, at)?;
        self.add(value, role, 0)
    }

    /// Adds a copy of the value that an alias stands for.
    fn alias(&mut self, anchor: usize, at: Position) -> Result<(), SyntaxError> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(error(at, "an alias inside its own anchor never ends"));
        };
        let (nodes, height) = (anchored.nodes, anchored.height);

        // Both limits are checked before the copy is made.
        if self.open.len() + height > MAX_DEPTH {
            return Err(too_deep(at));
        }
        self.count(nodes, at)?;

        let Some(anchored) = self.anchors.get(&anchor) else { return Ok(()) };
        let value = anchored.value.clone();
        self.add(value, KeyRole::Ordinary, height)
    }

    fn begin(&mut self, at: Position, anchor: usize, items: OpenItems) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(at));
        }
        let nodes_before = self.nodes;
        self.count(1, at)?;
        self.open.push(OpenCollection { position: at, anchor, nodes_before, height: 0, items });
        Ok(())
    }

    fn end(&mut self, at: Position) -> Result<(), SyntaxError> {
        let Some(collection) = self.open.pop() else { return Ok(()) };
        let content = match collection.items {
            OpenItems::Sequence(items) => Content::Sequence(items),
            OpenItems::Mapping { entries, merged, .. } => Content::Mapping(merge(entries, merged)?),
        };

        let value = Value { position: collection.position, content };
        let (nodes, height) = (self.nodes - collection.nodes_before, collection.height + 1);
        self.anchor(collection.anchor, &value, nodes, height, at)?;
        self.add(value, KeyRole::Ordinary, height)
    }

    /// Keeps a copy of a value that has an anchor.
    fn anchor(
        &mut self,
        anchor: usize,
        value: &Value,
        nodes: usize,
        height: usize,
        at: Position,
    ) -> Result<(), SyntaxError> {
        if anchor == 0 {
            return Ok(());
        }
        self.count(nodes, at)?;
        self.anchors.insert(anchor, AnchoredValue { value: value.clone(), nodes, height });
        Ok(())
    }

    /// Adds a complete value to the innermost open collection, or to the documents if there is none.
    fn add(&mut self, value: Value, role: KeyRole, height: usize) -> Result<(), SyntaxError> {
        let Some(collection) = self.open.last_mut() else {
            if !matches!(value.content, Content::Null) {
                self.documents.push(value);
            }
            return Ok(());
        };

        collection.height = collection.height.max(height);
        match &mut collection.items {
            OpenItems::Sequence(items) => items.push(value),
            OpenItems::Mapping { entries, key, merged } => match key.take() {
                None => *key = Some((as_key(value)?, role)),
                Some((_, KeyRole::Merge)) => merged.push(value),
                Some((key, KeyRole::Ordinary)) => entries.push((key, value)),
            },
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, at: Position) -> Result<(), SyntaxError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(error(at, format!("more than {MAX_NODES} values after expanding aliases")));
        }
        Ok(())
    }
}

/// Checks the tag of a list or mapping.
fn check_collection_tag(tag: Option<&Tag>, suffix: &str, at: Position) -> Result<(), SyntaxError> {
    match tag {
        Some(tag) if !is_non_specific_tag(tag) && tag.core_suffix() != Some(suffix) => {
            Err(wrong_tag(tag, at))
        }
        _ => Ok(()),
    }
}

fn too_deep(at: Position) -> SyntaxError {
    error(at, format!("nested more than {MAX_DEPTH} levels deep"))
}

fn wrong_tag(tag: &Tag, at: Position) -> SyntaxError {
    match tag.core_suffix() {
        Some(suffix) => error(at, format!("the tag !!{suffix} is not allowed here")),
        // An unknown tag may be a password without quotes, so it is not shown.
        None => error(at, "unknown tag: put quotes around a text that begins with !"),
    }
}

/// Returns true for the tag `!`, which makes a plain scalar a text.
fn is_non_specific_tag(tag: &Tag) -> bool {
    tag.parts() == ("", "!") || tag.parts() == ("!", "")
}

fn scalar(
    text: String,
    style: ScalarStyle,
    tag: Option<&Tag>,
    at: Position,
) -> Result<Content, SyntaxError> {
    let tag = match tag {
        None if style == ScalarStyle::Plain => None,
        None => Some("str"),
        Some(tag) if is_non_specific_tag(tag) => Some("str"),
        Some(tag) => Some(tag.core_suffix().ok_or_else(|| wrong_tag(tag, at))?),
    };

    let resolved = schema::resolve_plain(&text);
    let fits = match (tag, resolved) {
        (None | Some("str"), _) => true,
        (Some("null"), resolved) => resolved.is_none(),
        (Some("bool"), resolved) => matches!(resolved, Some(ScalarType::Boolean(_))),
        (Some("int"), resolved) => matches!(resolved, Some(ScalarType::Integer(_))),
        (Some("float"), Some(ScalarType::Integer(_) | ScalarType::Float)) => true,
        _ => false,
    };
    if let Some(tag) = tag
        && !fits
    {
        return Err(error(at, format!("the value does not match its tag !!{tag}")));
    }

    let scalar_type = if tag == Some("str") { Some(ScalarType::Text) } else { resolved };
    let Some(scalar_type) = scalar_type else { return Ok(Content::Null) };
    let is_literal_block = style == ScalarStyle::Literal;
    Ok(Content::Scalar(Scalar { text, scalar_type, is_literal_block }))
}

fn as_key(value: Value) -> Result<MappingKey, SyntaxError> {
    match value.content {
        Content::Scalar(scalar) => Ok(MappingKey { text: scalar.text, position: value.position }),
        Content::Null | Content::Sequence(_) | Content::Mapping(_) => {
            Err(error(value.position, "expected a string as the key"))
        }
    }
}

/// Adds the entries of merged mappings. A key that is already there stays as it is.
fn merge(
    mut entries: Vec<(MappingKey, Value)>,
    merged: Vec<Value>,
) -> Result<Vec<(MappingKey, Value)>, SyntaxError> {
    if merged.is_empty() {
        return Ok(entries);
    }
    let mut present: BTreeSet<String> = entries.iter().map(|(key, _)| key.text.clone()).collect();

    for value in merged {
        let sources = match value.content {
            Content::Sequence(sources) => sources,
            Content::Null | Content::Scalar(_) | Content::Mapping(_) => vec![value],
        };

        for source in sources {
            let Content::Mapping(source_entries) = source.content else {
                return Err(error(source.position, "expected a mapping to merge"));
            };
            for (key, value) in source_entries {
                if present.insert(key.text.clone()) {
                    entries.push((key, value));
                }
            }
        }
    }
    Ok(entries)
}

/// The deepest nesting that is read. The deepest Kubernetes objects, the schemas of CRDs, stay far below it.
const MAX_DEPTH: usize = 128;
/// The most values of one text: enough for about 10,000 Services and their slices as the API server prints them, in about
/// 100 MB of memory.
const MAX_NODES: usize = 1_000_000;
/// The most documents with mistakes in one text, before the rest is skipped.
const MAX_ERRORS: usize = 50;

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;

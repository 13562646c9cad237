//! tshark's JSON output: names repeat, and are in the order of the octets.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// A value of the JSON.
pub(crate) enum Node {
    Text(String),
    List(Vec<Self>),
    Fields(Vec<(String, Self)>),
    /// A number or null: positions and similar data.
    Other,
}

impl Node {
    /// The fields of this node with their names, in the order of the octets.
    pub(crate) fn fields(&self) -> &[(String, Self)] {
        match self {
            Self::Fields(fields) => fields,
            _ => &[],
        }
    }

    /// All fields with a name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.fields().iter().filter(move |(other, _)| other == name).map(|(_, node)| node)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.all(name).next()
    }

    /// The text of the field with a name, as printed by tshark.
    pub(crate) fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Self::Text(text)) => text,
            _ => panic!("no `{name}` in tshark's output, only {:?}", self.names()),
        }
    }

    /// The number in the field with a name, decimal or hexadecimal.
    pub(crate) fn number(&self, name: &str) -> u64 {
        let text = self.text(name);
        match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        }
        .unwrap_or_else(|_| panic!("`{name}` is not a number: `{text}`"))
    }

    /// The octets of the field with a name, in hexadecimal.
    pub(crate) fn raw(&self, name: &str) -> &str {
        let raw = self.get(&format!("{name}_raw")).and_then(Self::hex);
        raw.unwrap_or_else(|| panic!("no octets of `{name}`, only {:?}", self.names()))
    }

    /// The hexadecimal digits at the start of a list `[digits, position, length, mask, type]`.
    pub(crate) fn hex(&self) -> Option<&str> {
        match self {
            Self::List(parts) => match parts.first()? {
                Self::Text(digits) => Some(digits),
                _ => None,
            },
            _ => None,
        }
    }

    /// The octets of all nested fields, which must leave no gap: tshark prints them as `NAME_raw` next to each field. The bits
    /// of a field (`NAME_tree`) have no octets of their own.
    pub(crate) fn leaves(&self) -> String {
        let fields = self.fields();
        let mut octets = String::new();
        for (index, (name, node)) in fields.iter().enumerate() {
            if let Some(name) = name.strip_suffix("_raw") {
                let value = fields.get(index + 1).filter(|(other, _)| other == name);
                if !matches!(value, Some((_, Self::Fields(_)))) {
                    octets.push_str(node.hex().unwrap_or_default());
                }
            } else if !name.ends_with("_tree") {
                octets.push_str(&node.leaves());
            }
        }
        octets
    }

    /// The text of every field with a name, at any depth.
    pub(crate) fn deep<'a>(&'a self, name: &str, found: &mut Vec<&'a str>) {
        for (other, node) in self.fields() {
            match node {
                Self::Text(text) if other == name => found.push(text),
                _ => node.deep(name, found),
            }
        }
    }

    fn names(&self) -> Vec<&str> {
        self.fields().iter().map(|(name, _)| name.as_str()).collect()
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of tshark's JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Fields(fields))
    }
}

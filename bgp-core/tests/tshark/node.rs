//! tshark's JSON as it stands: names repeat, and their order is that of the octets.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// A value of the JSON.
pub(crate) enum Node {
    Text(String),
    List(Vec<Self>),
    Fields(Vec<(String, Self)>),
    /// A number or nothing: only positions and the like.
    Other,
}

impl Node {
    /// What stands under this one, name by name, in the order of the octets.
    pub(crate) fn fields(&self) -> &[(String, Self)] {
        match self {
            Self::Fields(fields) => fields,
            _ => &[],
        }
    }

    /// Everything of that name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.fields().iter().filter(move |(other, _)| other == name).map(|(_, node)| node)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.all(name).next()
    }

    /// The field of that name as tshark prints it.
    pub(crate) fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Self::Text(text)) => text,
            _ => panic!("tshark gave no `{name}` but {:?}", self.names()),
        }
    }

    /// The field of that name, decimal or hexadecimal.
    pub(crate) fn number(&self, name: &str) -> u64 {
        let text = self.text(name);
        match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        }
        .unwrap_or_else(|_| panic!("`{name}` is no number but `{text}`"))
    }

    /// The octets of the field of that name, in hexadecimal.
    pub(crate) fn raw(&self, name: &str) -> &str {
        let raw = self.get(&format!("{name}_raw")).and_then(Self::hex);
        raw.unwrap_or_else(|| panic!("tshark gave no octets of `{name}` but {:?}", self.names()))
    }

    /// The hexadecimal digits that a list `[digits, position, length, mask, type]` begins with.
    pub(crate) fn hex(&self) -> Option<&str> {
        match self {
            Self::List(parts) => match parts.first()? {
                Self::Text(digits) => Some(digits),
                _ => None,
            },
            _ => None,
        }
    }

    /// The octets of all the fields that tshark found inside this one and inside those, which must leave no gap: what
    /// it calls `NAME_raw` beside each. Bits of a field (`NAME_tree`) are no octets of their own.
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

    /// The text of every field of that name, however deep.
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
        f.write_str("any value that tshark writes")
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

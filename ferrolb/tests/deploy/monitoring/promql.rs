//! A parser for the part of PromQL that alerts and dashboards use.
//!
//! It knows selectors, aggregations, functions, binary operators with their matching, and fails on anything else.

use std::collections::BTreeSet;

/// An expression.
#[derive(Debug)]
pub(crate) enum Expr {
    /// A metric, with the labels that select its series.
    Selector { metric: String, matchers: Vec<Matcher> },
    /// An aggregation, and the labels that it keeps: `None` for `without`, which is not used.
    Aggregate { by: Vec<String>, of: Box<Self> },
    /// A function, with its arguments.
    Call { function: String, of: Vec<Self> },
    /// An operator between two operands.
    Binary { operator: String, matching: Option<Matching>, left: Box<Self>, right: Box<Self> },
    /// A number or a string.
    Scalar,
}

/// A condition on a label.
#[derive(Debug)]
pub(crate) struct Matcher {
    pub(crate) label: String,
    pub(crate) operator: String,
    pub(crate) value: String,
}

/// The labels by which the series of two operands are paired.
#[derive(Debug)]
pub(crate) struct Matching {
    /// True for `on`, false for `ignoring`.
    pub(crate) on: bool,
    pub(crate) labels: Vec<String>,
}

/// Parses an expression.
pub(crate) fn parse(text: &str) -> Result<Expr, String> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0 };
    let expr = parser.binary(0)?;
    match parser.peek() {
        "" => Ok(expr),
        rest => Err(format!("{text}: unexpected {rest}")),
    }
}

impl Expr {
    /// Calls a function with this expression and all inside it.
    pub(crate) fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        match self {
            Self::Selector { .. } | Self::Scalar => {}
            Self::Aggregate { of, .. } => of.walk(visit),
            Self::Call { of, .. } => of.iter().for_each(|it| it.walk(visit)),
            Self::Binary { left, right, .. } => {
                left.walk(visit);
                right.walk(visit);
            }
        }
    }
}

struct Parser {
    tokens: Vec<String>,
    next: usize,
}

impl Parser {
    fn peek(&self) -> &str {
        self.tokens.get(self.next).map_or("", String::as_str)
    }

    fn take(&mut self) -> String {
        let token = self.peek().to_owned();
        self.next += 1;
        token
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        let found = self.take();
        if found == wanted { Ok(()) } else { Err(format!("expected {wanted}, found {found:?}")) }
    }

    /// Parses operators that bind at least as closely as `least`.
    fn binary(&mut self, least: usize) -> Result<Expr, String> {
        let mut left = self.operand()?;
        while let Some(level) = level(self.peek()).filter(|level| *level >= least) {
            let operator = self.take();
            let matching = self.matching()?;
            let right = self.binary(level + 1)?;
            let (left_side, right) = (Box::new(left), Box::new(right));
            left = Expr::Binary { operator, matching, left: left_side, right };
        }
        Ok(left)
    }

    fn matching(&mut self) -> Result<Option<Matching>, String> {
        let on = match self.peek() {
            "on" => true,
            "ignoring" => false,
            _ => return Ok(None),
        };
        self.take();
        let labels = self.labels()?;
        if ["group_left", "group_right"].contains(&self.peek()) {
            self.take();
            if self.peek() == "(" {
                self.labels()?;
            }
        }
        Ok(Some(Matching { on, labels }))
    }

    fn operand(&mut self) -> Result<Expr, String> {
        let token = self.take();
        if token == "(" {
            let inner = self.binary(0)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if token.starts_with(['"', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
            return Ok(Expr::Scalar);
        }
        if !is_name(&token) {
            return Err(format!("unexpected {token:?}"));
        }
        if AGGREGATIONS.contains(&&*token) {
            return self.aggregation();
        }
        if self.peek() == "(" {
            return Ok(Expr::Call { function: token, of: self.arguments()? });
        }
        self.selector(token)
    }

    fn aggregation(&mut self) -> Result<Expr, String> {
        let mut by = Vec::new();
        if self.peek() == "by" {
            self.take();
            by = self.labels()?;
        }
        let mut of = self.arguments()?;
        if self.peek() == "by" {
            self.take();
            by = self.labels()?;
        }
        let of = of.pop().ok_or("an aggregation of nothing")?;
        Ok(Expr::Aggregate { by, of: Box::new(of) })
    }

    fn arguments(&mut self) -> Result<Vec<Expr>, String> {
        self.expect("(")?;
        let mut arguments = Vec::new();
        while self.peek() != ")" {
            arguments.push(self.binary(0)?);
            if self.peek() == "," {
                self.take();
            }
        }
        self.expect(")")?;
        Ok(arguments)
    }

    fn labels(&mut self) -> Result<Vec<String>, String> {
        self.expect("(")?;
        let mut labels = Vec::new();
        while self.peek() != ")" {
            labels.push(self.take());
            if self.peek() == "," {
                self.take();
            }
        }
        self.expect(")")?;
        Ok(labels)
    }

    fn selector(&mut self, metric: String) -> Result<Expr, String> {
        let mut matchers = Vec::new();
        if self.peek() == "{" {
            self.take();
            while self.peek() != "}" {
                let (label, operator) = (self.take(), self.take());
                let value = self.take();
                if !["=", "!=", "=~", "!~"].contains(&&*operator) || !value.starts_with('"') {
                    return Err(format!("{metric}: not a matcher: {label}{operator}{value}"));
                }
                let value = value.trim_matches('"').to_owned();
                matchers.push(Matcher { label, operator, value });
                if self.peek() == "," {
                    self.take();
                }
            }
            self.expect("}")?;
        }
        if self.peek() == "[" {
            self.take();
            let range = self.take();
            if !range.starts_with(|c: char| c.is_ascii_digit()) && !range.starts_with('$') {
                return Err(format!("{metric}: not a range: {range}"));
            }
            self.expect("]")?;
        }
        Ok(Expr::Selector { metric, matchers })
    }
}

/// How closely an operator binds, from 0.
fn level(operator: &str) -> Option<usize> {
    let levels: [&[&str]; 5] = [
        &["or"],
        &["and", "unless"],
        &["==", "!=", ">", "<", ">=", "<="],
        &["+", "-"],
        &["*", "/", "%"],
    ];
    levels.iter().position(|operators| operators.contains(&operator))
}

const AGGREGATIONS: [&str; 8] =
    ["sum", "min", "max", "avg", "count", "topk", "bottomk", "quantile"];

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    let two: BTreeSet<&str> = ["==", "!=", ">=", "<=", "=~", "!~"].into();
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first == '"' {
            rest[1..].find('"').ok_or_else(|| format!("{text}: no end of a string"))? + 2
        } else if first.is_ascii_alphanumeric() || "_$".contains(first) {
            let word = |c: char| c.is_ascii_alphanumeric() || "_:.$".contains(c);
            rest.find(|c| !word(c)).unwrap_or(rest.len())
        } else if rest.get(..2).is_some_and(|start| two.contains(start)) {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

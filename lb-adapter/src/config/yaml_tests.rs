use proptest::prelude::*;

use super::super::place::Origin;
use super::*;

/// Returns a tree in one line: each scalar as its text, the letter of its type, and its position.
fn shown(value: &Value) -> String {
    let Position { line, column } = value.position;
    match &value.content {
        Content::Null => format!("null@{line}:{column}"),
        Content::Scalar(scalar) => {
            let schema = match scalar.scalar_type {
                ScalarType::Text => "t".to_owned(),
                ScalarType::Boolean(value) => format!("b{value}"),
                ScalarType::Integer(value) => format!("i{value}"),
                ScalarType::Float => "f".to_owned(),
            };
            format!("{:?}{schema}@{line}:{column}", scalar.text)
        }
        Content::Sequence(items) => {
            format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" "))
        }
        Content::Mapping(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                let Position { line, column } = key.position;
                format!("{}@{line}:{column}={}", key.text, shown(value))
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(" "))
        }
    }
}

fn all(text: &str) -> Vec<String> {
    let (documents, errors) = documents(text);
    assert_eq!(errors, [], "{text}");
    documents.iter().map(shown).collect()
}

fn one(text: &str) -> String {
    let all = all(text);
    assert_eq!(all.len(), 1, "{text}");
    all[0].clone()
}

fn errors(text: &str) -> Vec<String> {
    let (_, errors) = documents(text);
    let shown = |error: &SyntaxError| {
        let Position { line, column } = error.position;
        format!("{line}:{column}: {}", error.message)
    };
    errors.iter().map(shown).collect()
}

fn error(text: &str) -> String {
    let errors = errors(text);
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].clone()
}

#[test]
fn plain_scalars_keep_their_spelling_and_quoted_ones_are_text() {
    assert_eq!(
        one("[yes, 'yes', 1.10, 0x10, 010, 1_000, 64512:10, ~, '', é]"),
        "[\"yes\"btrue@1:2 \"yes\"t@1:7 \"1.10\"f@1:14 \"0x10\"i16@1:20 \"010\"i8@1:26 \
         \"1_000\"i1000@1:31 \"64512:10\"t@1:38 null@1:48 \"\"t@1:51 \"é\"t@1:55]"
    );
    assert_eq!(one("99999999999999999999999999"), "\"99999999999999999999999999\"f@1:1");
}

#[test]
fn keys_keep_their_spelling_and_repeated_ones_are_both_there() {
    assert_eq!(
        one("no: 1\n12: 2\n'a b': 3\nno: 4\n"),
        "{no@1:1=\"1\"i1@1:5 12@2:1=\"2\"i2@2:5 a b@3:1=\"3\"i3@3:8 no@4:1=\"4\"i4@4:5}"
    );
}

#[test]
fn a_key_without_value_is_null_at_the_key() {
    assert_eq!(one("a:\nb: 1\n"), "{a@1:1=null@1:2 b@2:1=\"1\"i1@2:4}");
}

#[test]
fn aliases_and_merges_have_the_position_of_their_anchor() {
    assert_eq!(
        one("a: &x {k: v}\nb: *x\nc:\n  <<: *x\n  l: w\n"),
        "{a@1:1={k@1:8=\"v\"t@1:11} b@2:1={k@1:8=\"v\"t@1:11} \
         c@3:1={l@5:3=\"w\"t@5:6 k@1:8=\"v\"t@1:11}}"
    );
}

#[test]
fn documents_are_separate_and_empty_ones_are_left_out() {
    assert_eq!(all(""), [""; 0]);
    assert_eq!(all("# nothing\n"), [""; 0]);
    assert_eq!(all("---\n---\na\n---\n# c\n---\nb\n"), ["\"a\"t@3:1", "\"b\"t@7:1"]);
}

#[test]
fn json_with_tabs_is_yaml_too() {
    assert_eq!(
        one("{\n\t\"a\": [1, true, null, \"x\\u00e9\"]\n}\n"),
        "{a@2:2=[\"1\"i1@2:8 \"true\"btrue@2:11 null@2:17 \"xé\"t@2:23]}"
    );
}

#[test]
fn byte_order_marks_and_carriage_returns_are_not_content() {
    assert_eq!(one("\u{feff}a: 1\r\nb: x\r\n"), "{a@1:1=\"1\"i1@1:4 b@2:1=\"x\"t@2:4}");
}

#[test]
fn invalid_yaml_is_reported_at_its_position() {
    assert_eq!(
        error("a: b: c\n"),
        "1:5: invalid YAML: mapping values are not allowed in this context"
    );
    assert_eq!(error("? [a]\n: b\n"), "1:3: expected a string as the key");
    assert_eq!(
        error("a: !foo b\n"),
        "1:9: unknown tag: put quotes around a text that begins with !"
    );
    assert_eq!(error("a: !!int b\n"), "1:10: the value does not match its tag !!int");
    assert_eq!(error("a: &x [*x]\n"), "1:8: an alias inside its own anchor never ends");
    assert_eq!(error("a:\n  <<: b\n"), "2:7: expected a mapping to merge");
    for (text, at) in [("a: *b\n", "1:4: "), ("a:\n\t- x\n", "2:2: "), ("\"abc", "1:1: ")] {
        assert!(error(text).starts_with(at), "{}", error(text));
    }
}

#[test]
fn tags_of_the_core_schema_determine_the_type() {
    assert_eq!(
        one("[!!str 12, !!int '12', ! yes, !!null '', !!float 1, !!seq [], !!map {}]"),
        "[\"12\"t@1:8 \"12\"i12@1:18 \"yes\"t@1:26 null@1:38 \"1\"i1@1:50 [] {}]"
    );
}

#[test]
fn a_mistake_drops_only_its_own_document() {
    let text = "a: 1\n---\nb: [\n---\nc: *x\n---\nd: 2\n";
    let (documents, _) = documents(text);
    let documents: Vec<_> = documents.iter().map(shown).collect();
    assert_eq!(documents, ["{a@1:1=\"1\"i1@1:4}", "{d@7:1=\"2\"i2@7:4}"]);
    assert_eq!(errors(text).len(), 2, "{:?}", errors(text));
}

#[test]
fn deep_nesting_is_refused_in_every_style() {
    let block: String = (0..500).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let mut chain = "start: &a0 [x]\n".to_owned();
    for step in 0..1000 {
        chain.push_str(&format!("b{step}: &a{} {{k: *a{step}}}\n", step + 1));
    }
    for text in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000), block, chain] {
        let error = error(&text);
        assert!(error.contains("nest") || error.contains("recursion"), "{error}");
    }
    let fine = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(all(&fine).len(), 1);
}

#[test]
fn exponential_aliases_are_refused() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (name, of) in ('b'..='i').zip('a'..) {
        bomb.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{of}"); 9].join(",")));
    }
    assert_eq!(error(&bomb), "6:34: more than 1000000 values after expanding aliases");
    // Nested anchors are copied at each level.
    let nested = format!("{}{}{}", "&a [".repeat(100), "x,".repeat(50_000), "]".repeat(100));
    assert!(error(&nested).contains("more than 1000000 values"), "{}", error(&nested));
}

fn origin(source: &str) -> Origin {
    let (documents, _) = documents(source);
    let Content::Mapping(entries) = &documents[0].content else { panic!("no mapping") };
    let (_, value) = entries.last().unwrap();
    let Content::Scalar(scalar) = &value.content else { panic!("no scalar") };
    scalar.origin(value.position)
}

#[test]
fn lines_of_a_literal_block_are_lines_of_the_source() {
    let block = |line, column| Origin::Block(Position { line, column });
    assert_eq!(origin("a: |\n  x: 1\n  y: é\n"), block(2, 3));
    assert_eq!(
        origin("n:\n  a: 1\nb: |-  # comment\n\n\n      first\n       second\n\n  "),
        block(4, 7)
    );
    assert_eq!(origin("a: |2\n    x\n  y\n"), block(2, 3));
    assert_eq!(origin("é: |+\n é x\n\n"), block(2, 2));
    assert_eq!(origin("a: |\r\n  x\r\n  y\r\n"), block(2, 3));
}

#[test]
fn lines_of_a_quoted_or_folded_text_are_not_lines_of_the_source() {
    let scalar = |line, column| Origin::Scalar(Position { line, column });
    assert_eq!(origin("a: \"x: 1\\ny: 2\\n\"\n"), scalar(1, 4));
    assert_eq!(origin("a: >\n  x: 1\n  y: 2\n"), scalar(2, 3));
    assert_eq!(origin("a: peers\n"), scalar(1, 4));
}

proptest! {
    #[test]
    fn arbitrary_text_does_not_panic(text in "[-a-c:&*<!|>\\[\\]{}#'\" \n,?]{0,200}") {
        let _ = documents(&text);
    }
}

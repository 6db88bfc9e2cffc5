//! Whatever somebody writes into a template: a text or an error, never a panic, an endless loop or a torn stack.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::sync::Arc;

use drover_template::{
    Data, Dependency, Engine, Environment, Error, ErrorKind, GoTemplates, Options, Outcome, Pass, Scope, View, data::KeyPair,
};
use proptest::prelude::*;

fn render(text: &str) -> Result<Outcome, Error> {
    let compiled = GoTemplates.compile(text, &Options::default())?;
    let (view, environment) = (View::new(), Environment::default());
    compiled.render(&Pass { view: &view, environment: &environment, now: jiff::Timestamp::UNIX_EPOCH, host: None })
}

/// Pieces that parsers stumble over.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{{/*",
    "*/}}",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "continue",
    "nil",
    "true",
    "$",
    "$x",
    ":=",
    "=",
    ",",
    "|",
    "(",
    ")",
    ".",
    ".a",
    ".a.b",
    "\"",
    "\"s\"",
    "`",
    "`r`",
    "'",
    "'c'",
    "1",
    "-1",
    "1.5",
    "0x",
    "1e9",
    "2i",
    "_",
    " ",
    "\n",
    "é",
    "key",
    "ls",
    "printf",
    "\"%d %s %[3]v %*d\"",
    "index",
    "slice",
    "sprig_list",
    "sprig_dict",
    "parseJSON",
    "parseYAML",
    "loop",
    "split",
    "scratch.Get",
    "len",
    "eq",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_sequence_of_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        let text = pieces.concat();
        // The same pass twice gives the same outcome.
        prop_assert_eq!(render(&text), render(&text));
    }

    #[test]
    fn any_pieces_inside_an_action(pieces in prop::collection::vec(prop::sample::select(PIECES), 1..12)) {
        let text = format!("{{{{{}}}}}", pieces.join(" "));
        prop_assert_eq!(render(&text), render(&text));
    }

    #[test]
    fn any_document(text in "[\\[\\]{}:,\"'&*!|>#a1\\- \n\t\\\\.~<]{0,60}") {
        for function in ["parseJSON", "parseYAML"] {
            // A quoted constant: the document as it is.
            let quoted = serde_json::to_string(&text).unwrap();
            let _ = render(&format!("{{{{ {quoted} | {function} }}}}"));
        }
    }

    #[test]
    fn any_pattern(pattern in "[\\[\\]()*+?{}|\\\\^$a-d&~0-9,:]{0,30}") {
        let quoted = serde_json::to_string(&pattern).unwrap();
        let _ = render(&format!("{{{{ regexMatch {quoted} \"abcd\" }}}}"));
    }
}

fn limit(text: &str) -> String {
    let error = render(text).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Limit, "{}", error.text);
    error.text
}

#[test]
fn endless_templates_end_with_an_error_that_says_so() {
    assert!(limit(r#"{{define "a"}}{{template "a"}}{{end}}{{template "a"}}"#).contains("maximum template depth"));
    assert!(limit("{{range 99999999999}}{{end}}").contains("steps"));
    assert!(limit(r#"{{$s := "0123456789"}}{{range 40}}{{$s = print $s $s}}{{end}}"#).contains("bytes"));
    assert!(limit(r#"{{$l := sprig_list 1}}{{range 70}}{{$l = sprig_list $l $l}}{{end}}{{$l}}"#).contains("bytes of output"));
    assert!(limit(r#"{{$l := sprig_list 1}}{{range 70}}{{$l = sprig_list $l $l}}{{end}}{{toJSON $l}}"#).contains("bytes"));
    assert!(limit(r#"{{$l := sprig_list 1}}{{range 300}}{{$l = sprig_list $l}}{{end}}{{toJSON $l}}"#).contains("nested"));
}

#[test]
fn deep_texts_are_refused_and_the_deepest_allowed_render() {
    for (open, close, depth) in [("{{if 1}}", "{{end}}", 60), ("{{range 1}}", "{{end}}", 60)] {
        assert!(render(&format!("{}x{}", open.repeat(depth), close.repeat(depth))).unwrap().text.is_some());
        assert!(render(&format!("{}x{}", open.repeat(5000), close.repeat(5000))).is_err());
    }
    assert!(render(&format!("{{{{{}1{}}}}}", "(".repeat(60), ")".repeat(60))).is_ok());
    assert!(render(&format!("{{{{{}1{}}}}}", "(".repeat(5000), ")".repeat(5000))).is_err());
    // Half of the depth in a template that calls itself with the other half around the call.
    let nested = format!(
        r#"{{{{define "a"}}}}{}{{{{template "a"}}}}{}{{{{end}}}}{{{{template "a"}}}}"#,
        "{{if 1}}".repeat(90),
        "{{end}}".repeat(90)
    );
    assert!(limit(&nested).contains("depth"));
}

#[test]
fn a_value_with_a_cycle_cannot_be_made() {
    let error = render(r#"{{$d := sprig_dict}}{{sprig_set $d "self" $d}}"#).unwrap_err();
    assert!(error.text.contains("a map cannot be put into itself"), "{}", error.text);
    let error = render(r#"{{$d := sprig_dict}}{{$e := sprig_dict "d" $d}}{{sprig_set $d "e" (sprig_list $e)}}"#).unwrap_err();
    assert!(error.text.contains("a map cannot be put into itself"), "{}", error.text);
}

fn with(dependency: Dependency, data: Data, text: &str) -> Result<Outcome, Error> {
    let compiled = GoTemplates.compile(text, &Options::default())?;
    let (view, environment) = (View::from([(dependency, Arc::new(data))]), Environment::default());
    compiled.render(&Pass { view: &view, environment: &environment, now: jiff::Timestamp::UNIX_EPOCH, host: None })
}

#[test]
fn a_large_value_renders_and_many_of_them_are_refused() {
    let key = || Dependency::KvGet { key: "large".into(), scope: Scope::default() };
    let value = || Data::Key(Some(vec![b'x'; 10 << 20]));
    let text = with(key(), value(), r#"{{key "large"}}"#).unwrap().text.unwrap();
    assert_eq!(text.len(), 10 << 20);
    for (template, want) in [
        (r#"{{range 10}}{{key "large"}}{{end}}"#, "bytes of output"),
        (r#"{{$v := key "large"}}{{print $v $v $v $v}}"#, "a value of more than"),
        (r#"{{key "large" | sprig_repeat 4}}"#, "a value of more than"),
    ] {
        let error = with(key(), value(), template).unwrap_err();
        assert!(error.kind == ErrorKind::Limit && error.text.contains(want) && error.text.len() < 1000, "{template}: {:.200}", error.text);
    }
}

#[test]
fn a_tree_of_many_keys_renders() {
    const KEYS: usize = 100_000;
    let pair = |number| KeyPair { path: format!("many/{}/k{number}", number % 10), value: b"v".to_vec(), ..KeyPair::default() };
    let keys = || Data::Keys((0..KEYS).map(pair).collect());
    let tree = || Dependency::KvList { prefix: "many".into(), scope: Scope::default() };
    let lines = with(tree(), keys(), "{{range tree \"many\"}}{{.Key}}={{.Value}}\n{{end}}").unwrap().text.unwrap();
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), KEYS);
    let json = with(tree(), keys(), r#"{{tree "many" | explode | toJSON}}"#).unwrap().text.unwrap();
    assert!(json.starts_with(br#"{"0":{"k0":"v","k10":"v""#), "{:.60}", String::from_utf8_lossy(&json));
}

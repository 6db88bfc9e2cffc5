//! Texts that are meant to exhaust the reader: each ends in a diagnostic, in little time, on an ordinary stack.
#![allow(clippy::unwrap_used, reason = "a test")]

use drover_jobspec::{ParseOptions, parse};
use proptest::prelude::*;

/// As small as the stacks of the threads that serve requests.
const STACK_BYTES: usize = 2 << 20;

/// The summary of the first problem, or "fine".
fn outcome(text: String) -> String {
    let reader = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || match parse(&text, &ParseOptions::default()) {
        Ok(_) => "fine".to_owned(),
        Err(problems) => {
            assert!(problems.len() <= 100);
            problems[0].summary.clone()
        }
    });
    reader.unwrap().join().unwrap()
}

fn meta(expression: &str) -> String {
    format!("job \"x\" {{\n  meta {{\n    a = {expression}\n  }}\n}}\n")
}

/// Locals that each build on the one before.
fn ladder(first: &str, step: &str, count: usize, end: &str) -> String {
    let steps: Vec<String> = (1..count).map(|at| format!("  a{at} = {}", step.replace('@', &format!("local.a{}", at - 1)))).collect();
    format!("locals {{\n  a0 = {first}\n{}\n}}\njob \"x\" {{\n  meta {{\n    a = {end}\n  }}\n}}\n", steps.join("\n"))
}

#[test]
fn deep_nesting_is_refused() {
    let brackets = [("[", "]"), ("(", ")"), ("{a=", "}"), ("\"${", "}\""), ("[for a in ", ": a]"), ("upper(", ")"), ("a[", "]")];
    for (open, close) in brackets {
        for depth in [41, 100, 10_000] {
            let text = meta(&format!("{}1{}", open.repeat(depth), close.repeat(depth)));
            assert_eq!(outcome(text), "Nesting too deep", "{depth} times {open}");
        }
        // Up to the limit a text may fail, but not the reader.
        outcome(meta(&format!("{}1{}", open.repeat(37), close.repeat(37))));
    }
    for (open, close) in [("!", ""), ("- ", ""), ("true ? 1 : ", "")] {
        assert_eq!(outcome(meta(&format!("{}1{}", open.repeat(100), close.repeat(100)))), "Invalid syntax", "{open}");
    }
    assert_eq!(outcome("a {\n".repeat(1000)), "Nesting too deep");
    assert_eq!(outcome(meta(&format!("1{}", " + 1".repeat(10_000)))), "Invalid syntax");
}

#[test]
fn small_texts_cannot_ask_for_much_work() {
    for (name, text, expected) in [
        ("loops in loops", meta("jsonencode([for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c]]])"), "Job file does too much"),
        ("doubled lists", ladder("range(1000)", "concat(@, @)", 21, "jsonencode(local.a20)"), "Error in function call"),
        ("lists of lists", ladder("[1, 1]", "[@, @]", 41, "jsonencode(local.a40)"), "Job file does too much"),
        ("a deep list", ladder("[1]", "[@]", 900, "1"), "Value nested too deep"),
        ("doubled text", ladder("\"xxxxxxxx\"", "\"${@}${@}\"", 41, "local.a40"), "Text too long"),
        ("replacements", meta(&format!("replace(\"{}\", \"\", \"{}\")", "a".repeat(100_000), "b".repeat(100_000))), "Error in function call"),
        ("widths", meta(&format!("format(\"{}\", 1)", "%[1]999d".repeat(5000))), "Error in function call"),
        ("many locals", ladder("1", "@", 2000, "1"), "Too many locals"),
        (
            "blocks of blocks",
            "job \"x\" {\n  dynamic \"group\" {\n    for_each = range(1000)\n    labels = [\"g\"]\n    content {\n      dynamic \"task\" {\n        \
             for_each = range(1000)\n        labels = [\"t\"]\n        content {\n        }\n      }\n    }\n  }\n}\n"
                .to_owned(),
            "Job file does too much",
        ),
        ("a long text", " ".repeat(2 << 20), "Job file too large"),
        ("open quotes", format!("job \"x\" {{\n{}", "\"".repeat(300_001)), "Unterminated template string"),
    ] {
        assert_eq!(outcome(text), expected, "{name}");
    }
}

#[test]
fn a_local_may_not_need_itself() {
    assert_eq!(outcome("locals {\n  a = local.b\n  b = local.a\n}\njob \"x\" {\n}\n".to_owned()), "Cycle among locals");
}

/// Pieces that job files are made of, in no order.
fn fragments() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "job \"x\" {",
            "group \"g\" {",
            "task",
            "}",
            "{",
            "[",
            "]",
            "(",
            ")",
            "\n",
            "=",
            "\"",
            "${",
            "%{",
            "if",
            "for",
            "in",
            "endif",
            "~}",
            "<<EOF\n",
            "EOF\n",
            "<<-E",
            "locals {\n",
            "variable \"v\" {\n",
            "default",
            "dynamic \"port\" {\n",
            "for_each",
            "content {\n",
            "a = ",
            "var.v",
            "local.a",
            "upper(",
            "format(\"%",
            "d\"",
            ",",
            "?",
            ":",
            "=>",
            "...",
            "1e9",
            "-",
            "!",
            "*",
            ".*.",
            "[*]",
            "\\u",
            "é",
            "\r\n",
            "#",
            "/*",
            "*/",
            "//",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9 ]{0,4}",
        "\\PC{0,3}",
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(?s).{0,300}") {
        let _ = parse(&text, &ParseOptions::default());
    }

    #[test]
    fn nothing_like_a_job_file_makes_the_reader_panic(text in fragments()) {
        let _ = parse(&text, &ParseOptions::default());
        let _ = parse(&format!("job \"x\" {{\n meta {{\n a = {text}\n }}\n}}\n"), &ParseOptions::default());
    }

    #[test]
    fn places_lie_within_the_text(text in fragments()) {
        if let Err(problems) = parse(&text, &ParseOptions::default()) {
            let lines = text.lines().count() + 1;
            for place in problems.iter().filter_map(|problem| problem.place.as_deref()) {
                prop_assert!(place.line >= 1 && place.line <= lines && place.column >= 1, "{place} of {lines} lines");
            }
            for problem in problems {
                prop_assert!(!problem.to_terminal().is_empty());
            }
        }
    }
}

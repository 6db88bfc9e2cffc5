//! Every case of `tests/cases`: a template, what it can see, what it must come to.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod fixture;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use drover_template::{Engine, Environment, GoTemplates, HandlebarsTemplates, Options, Pass, View};
use fixture::Fixture;
use serde_json::Value;

/// What a template came to.
#[derive(Debug, PartialEq)]
enum Result {
    Output(String),
    Error(String),
    /// The dependencies that it waits for.
    Missing(Vec<String>),
}

fn text(case: &Value, name: &str) -> Option<String> {
    case.get(name).map(|value| value.as_str().unwrap_or_else(|| panic!("{name} of {case} must be a text")).to_owned())
}

fn options(case: &Value) -> Options {
    let mut options = Options { error_on_missing_key: case["error_on_missing_key"] == true, ..Options::default() };
    if let Some(delimiters) = text(case, "delimiters") {
        let (left, right) = delimiters.split_once(' ').unwrap();
        options.left_delimiter = left.to_owned();
        options.right_delimiter = right.to_owned();
    }
    if let Some(denied) = case["denied"].as_array() {
        options.denied = denied.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    }
    options
}

/// Renders as a runner does: again for as long as something asked for has arrived.
fn run(case: &Value, fixture: &Fixture) -> Result {
    run_with(&GoTemplates, case, fixture)
}

fn run_with(engine: &dyn Engine, case: &Value, fixture: &Fixture) -> Result {
    let environment: Environment =
        case["env"].as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    let compiled = match engine.compile(&text(case, "template").unwrap(), &options(case)) {
        Ok(compiled) => compiled,
        Err(error) => return Result::Error(error.text),
    };
    let now = "2024-03-05T07:08:09Z".parse().unwrap();
    let mut view = View::new();
    loop {
        let outcome = match compiled.render(&Pass { view: &view, environment: &environment, now, host: None }) {
            Ok(outcome) => outcome,
            Err(error) => return Result::Error(error.text),
        };
        if let Some(text) = outcome.text {
            return Result::Output(String::from_utf8(text).unwrap());
        }
        let before = view.len();
        for dependency in &outcome.missing {
            if let Some(data) = fixture.answer(dependency) {
                view.insert(dependency.clone(), data);
            }
        }
        if view.len() == before {
            return Result::Missing(outcome.missing.iter().map(ToString::to_string).collect());
        }
    }
}

fn expected(case: &Value) -> Result {
    if let Some(output) = text(case, "output") {
        return Result::Output(output);
    }
    if let Some(error) = text(case, "error") {
        return Result::Error(error);
    }
    let missing = case["missing"].as_array().unwrap_or_else(|| panic!("{case} expects nothing"));
    Result::Missing(missing.iter().map(|name| name.as_str().unwrap().to_owned()).collect())
}

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let fixture = Fixture::new(&file["data"]);
        let cases = file["cases"].as_array().unwrap();
        counts.insert(name.clone(), cases.len());
        for case in cases {
            let (want, got) = (expected(case), run(case, &fixture));
            if want != got {
                wrong.push(format!("{name}: {}\n  want {want:?}\n  got  {got:?}", case["template"]));
            }
        }
    }
    assert!(counts.values().sum::<usize>() > 100, "the cases were not found: {counts:?}");
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// A fenced part of a page: its language and its text.
fn parts(page: &str) -> Vec<(&str, String)> {
    let mut parts = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) if !language.is_empty() => open = Some((language, String::new())),
            (Some(_), Some("")) => parts.extend(open.take()),
            (Some((_, text)), _) => *text += &format!("{line}\n"),
            (None, _) => {}
        }
    }
    parts
}

/// The page shows each template in both languages, and what both come to.
#[test]
fn the_examples_of_the_documentation_are_true() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/templates.md")).unwrap();
    let parts = parts(&page);
    let (_, data) = parts.iter().find(|(language, _)| *language == "json").unwrap();
    let fixture = Fixture::new(&serde_json::from_str(data).unwrap());
    let mut shown = 0;
    for (index, (language, output)) in parts.iter().enumerate().filter(|(_, (language, _))| *language == "output") {
        assert_eq!(*language, "output");
        for (language, template) in &parts[index - 2..index] {
            let engine: &dyn Engine = if *language == "handlebars" { &HandlebarsTemplates } else { &GoTemplates };
            let case = serde_json::json!({ "template": template, "env": { "NOMAD_TASK_NAME": "app" } });
            let got = run_with(engine, &case, &fixture);
            let Result::Output(got) = got else { panic!("{language}: {template}\n{got:?}") };
            // A line's end belongs to the page.
            assert_eq!(got.trim_end_matches('\n'), output.trim_end_matches('\n'), "{language}: {template}");
            shown += 1;
        }
    }
    assert!(shown >= 20, "the examples were not found: {shown}");
}

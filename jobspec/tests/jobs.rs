//! Job files and what they are read as. `jobs/*.nomad.hcl` are read; the snapshots beside this file hold the job, or what is wrong with the file in
//! both of its forms.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeMap, fs, path::Path};

use drover_jobspec::{LocalFiles, ParseOptions, VariableFile, parse, to_api_text, to_terminal_text};

#[test]
fn every_job_file_is_read_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jobs");
    let mut read = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".nomad.hcl")) else { continue };
        let text = fs::read_to_string(&path).unwrap();
        let options = ParseOptions { file_name: format!("{name}.nomad.hcl"), ..ParseOptions::default() };
        read += 1;
        match parse(&text, &options) {
            Ok((mut job, warnings)) => {
                insta::assert_json_snapshot!(name, job);
                assert!(warnings.is_empty(), "{name}: {}", to_api_text(&warnings));
                let json = serde_json::to_string(&job).unwrap();
                assert_eq!(serde_json::from_str::<drover_model::spec::JobSpec>(&json).unwrap(), job, "{name} survives JSON");
                job.canonicalize();
                insta::assert_json_snapshot!(format!("{name}.canonical"), job);
            }
            Err(problems) => insta::assert_snapshot!(name, format!("{}\n\n{}", to_api_text(&problems), to_terminal_text(&problems))),
        }
    }
    assert!(read >= 10, "only {read} job files were found");
}

const JOB: &str = "variable \"a\" {\n  type = string\n  default = \"default\"\n}\nvariable \"list\" {\n  type = list(number)\n  default = []\n}\n\
                   job \"x\" {\n  meta {\n    a = var.a\n    list = jsonencode(var.list)\n  }\n}\n";

#[test]
fn the_last_source_of_a_variable_wins() {
    let file = |content: &str| vec![VariableFile { name: "v.hcl".to_owned(), content: content.to_owned() }];
    let environment = BTreeMap::from([("NOMAD_VAR_a".to_owned(), "environment".to_owned()), ("a".to_owned(), "other".to_owned())]);
    let flag = |value: &str| vec![("a".to_owned(), value.to_owned())];
    for (name, options, expected) in [
        ("default", ParseOptions::default(), "default"),
        ("environment", ParseOptions { environment: environment.clone(), ..ParseOptions::default() }, "environment"),
        (
            "file",
            ParseOptions { environment: environment.clone(), variable_files: file("a = \"file\""), ..ParseOptions::default() },
            "file",
        ),
        (
            "flag",
            ParseOptions { environment, variable_files: file("a = \"file\""), variables: flag("flag"), ..ParseOptions::default() },
            "flag",
        ),
        ("last flag", ParseOptions { variables: [flag("one"), flag("${two}")].concat(), ..ParseOptions::default() }, "${two}"),
    ] {
        assert_eq!(parse(JOB, &options).unwrap().0.meta["a"], expected, "{name}");
    }
    let list = ParseOptions { variables: vec![("list".to_owned(), "[1, 1 + 1]".to_owned())], ..ParseOptions::default() };
    assert_eq!(parse(JOB, &list).unwrap().0.meta["list"], "[1,2]");
}

#[test]
fn what_is_wrong_with_a_variable_is_told() {
    let set = |name: &str, value: &str| ParseOptions { variables: vec![(name.to_owned(), value.to_owned())], ..ParseOptions::default() };
    let file = |strict| ParseOptions {
        variable_files: vec![VariableFile { name: "v.hcl".to_owned(), content: "unknown = 1\n".to_owned() }],
        strict,
        ..ParseOptions::default()
    };
    for (name, options, expected) in [
        ("undeclared flag", set("nope", "1"), "Undefined -var variable"),
        (
            "wrong type",
            set("list", "[\"x\"]"),
            "Invalid value for variable \"list\"; The value is not compatible with the variable's type constraint: element 0: a number is required.",
        ),
        ("bad expression", set("list", "[1"), "<value for var.list>:1,1-2: Unclosed bracket"),
        ("strict file", file(true), "v.hcl:1,1-8: Undefined variable"),
    ] {
        let text = to_api_text(&parse(JOB, &options).unwrap_err());
        assert!(text.contains(expected), "{name}: {text}");
    }
    let (_, warnings) = parse(JOB, &file(false)).unwrap();
    assert!(to_api_text(&warnings).starts_with("v.hcl:1,1-8: Undefined variable"));
}

#[test]
fn files_are_read_only_where_they_are_allowed() {
    let folder = std::env::temp_dir().join(format!("drover-jobspec-{}", std::process::id()));
    fs::create_dir_all(folder.join("conf/deep")).unwrap();
    fs::write(folder.join("conf/a.txt"), "hello").unwrap();
    fs::write(folder.join("conf/deep/b.txt"), "x").unwrap();
    let text = "job \"x\" {\n  meta {\n    content = file(\"conf/a.txt\")\n    there = fileexists(\"conf/none\")\n    base = basename(\"a/b/c.txt\")\n    \
                dir = dirname(\"a/b/c.txt\")\n    set = jsonencode(fileset(\"conf\", \"**/*.txt\"))\n    coded = filebase64(\"conf/a.txt\")\n    home = pathexpand(\"~/x\")\n  }\n}\n";
    let files = LocalFiles { base: folder.clone(), home: Some("/home/somebody".into()) };
    let (job, _) = parse(text, &ParseOptions { files: Some(&files), ..ParseOptions::default() }).unwrap();
    let missing =
        parse("job \"x\" {\n  name = file(\"none\")\n}\n", &ParseOptions { files: Some(&files), ..ParseOptions::default() }).unwrap_err();
    fs::remove_dir_all(&folder).unwrap();
    let expected = [
        ("base", "c.txt"),
        ("coded", "aGVsbG8="),
        ("content", "hello"),
        ("dir", "a/b"),
        ("home", "/home/somebody/x"),
        ("set", "[\"a.txt\",\"deep/b.txt\"]"),
        ("there", "false"),
    ];
    let found: Vec<(&str, &str)> = job.meta.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(found, expected);
    assert!(to_api_text(&missing).contains("failed to read"));
    assert!(to_api_text(&parse(text, &ParseOptions::default()).unwrap_err()).contains("filesystem function disabled"));
}

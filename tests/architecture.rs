//! The rules of the house: which crate may know which, what may not come in, how large a module may grow.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Which crates of ours each crate may use. `docs/ARCHITECTURE.md` says why.
const EDGES: &[(&str, &[&str])] = &[
    ("drover", &["drover-agent", "drover-api", "drover-bench", "drover-jobspec", "drover-model", "drover-runtime", "drover-template"]),
    (
        "drover-agent",
        &["drover-client", "drover-integrations", "drover-jobspec", "drover-model", "drover-runtime", "drover-server", "drover-template"],
    ),
    ("drover-api", &["drover-model"]),
    ("drover-bench", &["drover-model", "drover-scheduler"]),
    ("drover-client", &["drover-integrations", "drover-model", "drover-runtime", "drover-template"]),
    ("drover-demo", &[]),
    ("drover-integrations", &["drover-model", "drover-runtime"]),
    ("drover-jobspec", &["drover-model"]),
    ("drover-model", &[]),
    ("drover-runtime", &["drover-model"]),
    ("drover-scheduler", &["drover-model"]),
    ("drover-server", &["drover-model", "drover-runtime", "drover-scheduler"]),
    ("drover-template", &[]),
    ("shop", &[]),
];

/// Third-party crates that have one door each.
const DOORS: &[(&str, &[&str])] = &[
    ("openraft", &["drover-server"]),
    ("axum", &["drover-agent"]),
    ("reqwest", &["drover-api", "drover-client", "drover-demo", "drover-integrations"]),
    ("hcl-edit", &["drover-jobspec"]),
    ("turmoil", &["drover-runtime"]),
];

/// One TLS stack, one provider of cryptography.
const BANNED: &[&str] = &["openssl-sys", "native-tls", "ring"];

const MOST_LINES: usize = 1000;

fn metadata() -> Value {
    let output = Command::new(env!("CARGO")).args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What each of our crates depends on outside of its tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let names = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|dependency| dependency["kind"].is_null()).map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
    };
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|package| (package["name"].as_str().unwrap().to_owned(), names(package))).collect()
}

#[test]
fn crates_know_only_whom_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let dependencies = dependencies();
    for (package, uses) in &dependencies {
        let may = allowed.get(package.as_str()).unwrap_or_else(|| panic!("{package} is new: say in EDGES what it may know"));
        let ours = uses.iter().filter(|name| dependencies.contains_key(*name));
        for used in ours {
            assert!(may.contains(&used.as_str()), "{package} must not know {used}");
        }
    }
}

#[test]
fn third_party_crates_come_in_by_their_door() {
    for (package, uses) in dependencies() {
        for (name, doors) in DOORS {
            assert!(!uses.contains(*name) || doors.contains(&package.as_str()), "{package} must not use {name}: its doors are {doors:?}");
        }
    }
}

#[test]
fn banned_crates_stay_out() {
    for name in BANNED {
        // A crate may stand in Cargo.lock as somebody's option; what counts is whether anything of ours is built with it. An unknown name is an error to
        // cargo and prints nothing either.
        let tree = Command::new(env!("CARGO")).args(["tree", "--offline", "--workspace", "--invert", name]).output().unwrap();
        let users = String::from_utf8_lossy(&tree.stdout);
        assert!(users.trim().is_empty(), "{name} is built in:\n{users}");
    }
}

#[test]
fn modules_stay_small_enough_to_read() {
    let mut sources = Vec::new();
    collect(Path::new("."), &mut sources);
    assert!(sources.len() > 50, "found only {} sources", sources.len());
    for path in sources {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines: split it by what changes together", path.display());
    }
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    let mut sources = Vec::new();
    collect(Path::new("."), &mut sources);
    let words = [["to", "do!("].concat(), ["unimplement", "ed!("].concat(), ["FIX", "ME"].concat()];
    for path in sources {
        let text = fs::read_to_string(&path).unwrap();
        for word in &words {
            assert!(!text.contains(word), "{} says {word}", path.display());
        }
    }
}

fn collect(folder: &Path, sources: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
}

//! Flags as users of the job language's tools write them: `-json`, `-address=...`, `-detach=false`, before or after the arguments.
//!
//! clap knows `--json`. Words that start with one dash and go on with more than one letter become that; the values of Boolean flags are resolved here.

use std::ffi::OsString;

use anyhow::{Context, Result, bail};
use clap::{ArgAction, Command};

/// After this command's own arguments everything belongs to somebody else.
const PASS_THROUGH: &str = "--";

/// Rewrites single-dash flags.
pub(crate) fn normalise(words: impl IntoIterator<Item = OsString>, cli: &Command) -> Result<Vec<OsString>> {
    let switches = switches(cli);
    let valued = valued(cli);
    let mut normal = Vec::new();
    let mut words = words.into_iter();
    normal.extend(words.next());
    let mut path = Vec::new();
    while let Some(word) = words.next() {
        if path == EXEC[1..] || path.ends_with(&EXEC.map(OsString::from)) {
            normal.extend(exec(word, &mut words));
            break;
        }
        if word.to_str().is_some_and(|text| !text.starts_with('-')) {
            path.push(word.clone());
        }
        if word == PASS_THROUGH {
            normal.push(word);
            normal.extend(words);
            break;
        }
        let Some(text) = word.to_str() else {
            normal.push(word);
            continue;
        };
        normal.extend(flag(text, &switches)?.map(OsString::from));
        if text.starts_with('-') && valued.iter().any(|name| text.trim_start_matches('-') == name) {
            // Its value is no command.
            normal.extend(words.next());
        }
    }
    Ok(normal)
}

/// Its command's words are nobody else's. It is known without the first word, too.
const EXEC: [&str; 2] = ["alloc", "exec"];
/// Its own flags whose value is a word of its own.
const EXEC_VALUES: [&str; 3] = ["task", "group", "e"];

/// What comes after `alloc exec`: its own flags up to the allocation, then a command, which is passed through.
fn exec(first: OsString, rest: &mut impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut normal = Vec::new();
    let mut next = Some(first);
    while let Some(word) = next {
        let text = word.to_str().unwrap_or_default().to_owned();
        let name = text.trim_start_matches('-');
        if name == text || text == PASS_THROUGH {
            normal.push(word);
            break;
        }
        let is_long = name.split('=').next().is_some_and(|key| key.chars().count() > 1);
        let own = if is_long { OsString::from(format!("--{name}")) } else { word };
        normal.push(own);
        if EXEC_VALUES.contains(&name) {
            normal.extend(rest.next());
        }
        next = rest.next();
    }
    normal.extend(rest);
    normal
}

/// A word as clap wants it; none for a switch that was switched off.
fn flag(word: &str, switches: &[String]) -> Result<Option<String>> {
    let name = word.trim_start_matches('-');
    let dashes = word.len() - name.len();
    let is_flag = (dashes == 1 || dashes == 2) && name.chars().next().is_some_and(char::is_alphabetic);
    if !is_flag {
        return Ok(Some(word.to_owned()));
    }
    if dashes == 1 && name.chars().count() == 1 {
        return Ok(Some(word.to_owned()));
    }
    let long = name.split_once('=').filter(|(key, _)| switches.iter().any(|switch| switch == key));
    let Some((key, value)) = long else {
        // `-f=x` is a short flag with its value; clap wants it without the sign.
        if dashes == 1 && name.chars().nth(1) == Some('=') {
            return Ok(Some(word.replacen('=', "", 1)));
        }
        return Ok(Some(format!("--{name}")));
    };
    match value.parse::<Switch>().with_context(|| format!("-{key} is a switch"))? {
        Switch(true) => Ok(Some(if key.chars().count() == 1 { format!("-{key}") } else { format!("--{key}") })),
        Switch(false) => Ok(None),
    }
}

struct Switch(bool);

impl std::str::FromStr for Switch {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "true" | "1" | "t" | "T" | "TRUE" | "True" => Ok(Self(true)),
            "false" | "0" | "f" | "F" | "FALSE" | "False" => Ok(Self(false)),
            other => bail!("it takes true or false, not {other:?}"),
        }
    }
}

/// The names of the flags before any command that take a value.
fn valued(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter(|argument| argument.get_action().takes_values());
    own.filter_map(|argument| argument.get_long().map(str::to_owned)).collect()
}

/// The names of all flags, of all commands, that take no value.
fn switches(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter(|argument| matches!(argument.get_action(), ArgAction::SetTrue));
    let mut names: Vec<String> =
        own.flat_map(|argument| argument.get_long().map(str::to_owned).into_iter().chain(argument.get_short().map(String::from))).collect();
    names.extend(command.get_subcommands().flat_map(switches));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_dashes_become_double_ones() {
        let switches = vec!["detach".to_owned(), "f".to_owned()];
        for (word, expected) in [
            ("-json", Some("--json")),
            ("--json", Some("--json")),
            ("-f", Some("-f")),
            ("-n=5", Some("-n5")),
            ("-var=a=b", Some("--var=a=b")),
            ("-detach=true", Some("--detach")),
            ("-detach=false", None),
            ("--detach=0", None),
            ("-f=true", Some("-f")),
            ("-5", Some("-5")),
            ("-", Some("-")),
            ("job.nomad.hcl", Some("job.nomad.hcl")),
        ] {
            assert_eq!(flag(word, &switches).unwrap().as_deref(), expected, "{word}");
        }
        assert!(flag("-detach=perhaps", &switches).is_err());
    }

    #[test]
    fn a_command_in_a_task_keeps_its_words() {
        let cli = Command::new("x").arg(clap::Arg::new("address").long("address"));
        for (words, expected) in [
            ("x -address u exec -task web a1 ls -la", "x --address u exec --task web a1 ls -la"),
            ("x job run exec -detach", "x job run exec --detach"),
            ("x alloc exec -task web -t=false a1 ls -la --all", "x alloc exec --task web -t=false a1 ls -la --all"),
            ("x -address=u alloc exec -i a1 sh -c -verbose", "x --address=u alloc exec -i a1 sh -c -verbose"),
            ("x -address u alloc exec -job web env", "x --address u alloc exec --job web env"),
        ] {
            let normal = normalise(words.split(' ').map(OsString::from), &cli).unwrap();
            assert_eq!(normal, expected.split(' ').map(OsString::from).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_follows_two_dashes_is_left_alone() {
        let cli = Command::new("x");
        let words = ["x", "-a1", "--", "-abc"].map(OsString::from);
        assert_eq!(normalise(words, &cli).unwrap(), ["x", "--a1", "--", "-abc"].map(OsString::from));
    }
}

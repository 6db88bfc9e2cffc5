//! Constraints, affinities and spreads.

use super::*;

pub(super) fn constraints(list: &[Constraint], errors: &mut ValidationErrors) {
    for (at, constraint) in list.iter().enumerate() {
        let mut inner = ValidationErrors::default();
        operand(&constraint.operand, &constraint.left, &constraint.right, true, &mut inner);
        errors.nest_as(format_args!("Constraint {}", at + 1), inner);
    }
}

pub(super) fn affinities(list: &[Affinity], errors: &mut ValidationErrors) {
    for (at, affinity) in list.iter().enumerate() {
        let mut inner = ValidationErrors::default();
        operand(&affinity.operand, &affinity.left, &affinity.right, false, &mut inner);
        match affinity.weight.unwrap_or(50) {
            0 => inner.push("Affinity weight cannot be zero"),
            -100..=100 => {}
            _ => inner.push("Affinity weight must be within the range [-100,100]"),
        }
        errors.nest_as(format_args!("Affinity {}", at + 1), inner);
    }
}

pub(super) fn spreads(list: &[Spread], errors: &mut ValidationErrors) {
    for (at, spread) in list.iter().enumerate() {
        let mut inner = ValidationErrors::default();
        if spread.attribute.is_empty() {
            inner.push("Missing spread attribute");
        }
        if !(0..=100).contains(&spread.weight.unwrap_or(50)) {
            inner.push("Spread block must have a positive weight from 0 to 100");
        }
        let mut seen = BTreeSet::new();
        for target in &spread.targets {
            if !seen.insert(&target.value) {
                inner.push(format!("Spread target value {:?} already defined", target.value));
            }
            if !(0..=100).contains(&target.percent) {
                inner.push(format!("Spread target percentage for value {:?} must be between 0 and 100", target.value));
            }
        }
        let sum: i64 = spread.targets.iter().map(|target| target.percent.clamp(0, 100)).sum();
        if sum > 100 {
            inner.push(format!("Sum of spread target percentages must not be greater than 100%; got {sum}%"));
        }
        errors.nest_as(format_args!("Spread {}", at + 1), inner);
    }
}

/// Whether an operator is known and its sides are what it needs. `hard` for constraints, which know two operators more.
fn operand(operator: &str, left: &str, right: &str, hard: bool, errors: &mut ValidationErrors) {
    let what = if hard { "constraint" } else { "affinity" };
    let mut needs_left = true;
    match operator {
        "" => errors.push(format!("Missing {what} operand")),
        "=" | "==" | "is" | "!=" | "not" | "<" | "<=" | ">" | ">=" => {}
        "set_contains" | "set_contains_all" | "set_contains_any" => {
            if right.is_empty() {
                errors.push("Set contains operators require a set of values");
            }
        }
        "is_set" | "is_not_set" if hard => {
            if !right.is_empty() {
                errors.push(format!("Operator {operator:?} does not support a value"));
            }
        }
        "regexp" => {
            if let Some(problem) = regexp_problem(right) {
                errors.push(format!("Regular expression failed to compile: {problem}"));
            }
        }
        "version" | "semver" => {
            let name = if operator == "version" { "Version" } else { "Semver" };
            if let Some(part) = malformed_version(right) {
                errors.push(format!("{name} constraint is invalid: malformed constraint: {part}"));
            }
        }
        "distinct_hosts" if hard => {
            needs_left = false;
            if !["", "true", "false"].contains(&right) {
                errors.push("Operator \"distinct_hosts\" takes only true or false");
            }
        }
        "distinct_property" if hard => {
            if !right.is_empty() && !right.parse::<u64>().is_ok_and(|count| count > 0) {
                errors.push(format!("Distinct property must be given a count of 1 or more; got {right:?}"));
            }
        }
        other => errors.push(format!("Unknown {what} type {other:?}")),
    }
    if needs_left && left.is_empty() {
        errors.push(format!("No LTarget provided but is required by {what}"));
    }
}

/// Why a pattern is none, worded like the expressions' own library words it where that is known.
fn regexp_problem(pattern: &str) -> Option<String> {
    /// What a compiled pattern may take up.
    const MAX_COMPILED_BYTES: usize = 1 << 20;
    let error = regex::RegexBuilder::new(pattern).size_limit(MAX_COMPILED_BYTES).build().err()?;
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
    Some(match reason {
        "unclosed group" => format!("error parsing regexp: missing closing ): `{pattern}`"),
        "unclosed character class" => format!("error parsing regexp: missing closing ]: `{pattern}`"),
        "unopened group" => format!("error parsing regexp: unexpected ): `{pattern}`"),
        other => format!("error parsing regexp: {other}: `{pattern}`"),
    })
}

/// The first part of a list such as `>= 1.2, < 2` that is no comparison with a version.
fn malformed_version(text: &str) -> Option<&str> {
    text.split(',').find(|part| {
        let part = part.trim();
        let operators = [">=", "<=", "!=", "~>", "=", ">", "<"];
        let version = operators.iter().find_map(|operator| part.strip_prefix(operator)).unwrap_or(part).trim();
        !is_version(version)
    })
}

/// `1`, `v1.2.3`, `1.2.3-beta.1+build`.
fn is_version(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    let (numbers, pre) = text.split_once('-').map_or((text, None), |(numbers, pre)| (numbers, Some(pre)));
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '~'));
    let number = |number: &str| !number.is_empty() && number.len() < 20 && number.bytes().all(|b| b.is_ascii_digit());
    numbers.split('.').all(number) && pre.is_none_or(word) && build.is_none_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_other_words() {
        for (text, malformed) in [
            (">= 1.0", None),
            ("1.2.3", None),
            (">=1.2, < 2.0.0-rc1", None),
            ("~> 0.9.7", None),
            ("v1+build.5", None),
            ("~> banana", Some("~> banana")),
            (">= 1, two", Some(" two")),
            ("", Some("")),
        ] {
            assert_eq!(malformed_version(text), malformed, "{text}");
        }
    }
}

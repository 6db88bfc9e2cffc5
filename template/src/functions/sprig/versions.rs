//! Semantic versions.

use crate::functions::string;
use crate::go::context::Context;
use crate::go::function::{Answer, Fault, Function, Type, text};
use crate::go::object::record;
use crate::go::value::Value;

mod range;

use range::Range;

const STR: Type = Type::Str;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("sprig_semver", &[STR], parse),
    Function::new("sprig_semverCompare", &[STR, STR], |_, arguments| {
        let range =
            Range::parse(&text(&arguments[0])).ok_or_else(|| Fault::Message(format!("improper constraint: {}", text(&arguments[0]))))?;
        let version = lenient(&text(&arguments[1])).ok_or_else(invalid)?;
        Ok(range.matches(&version).into())
    }),
];

fn invalid() -> Fault {
    Fault::from("invalid semantic version")
}

/// `v1.2` counts as `1.2.0`.
pub(super) fn lenient(source: &str) -> Option<semver::Version> {
    let source = source.strip_prefix('v').unwrap_or(source);
    let end = source.find(['-', '+']).unwrap_or(source.len());
    let (core, tail) = source.split_at(end);
    let mut parts: Vec<&str> = core.split('.').collect();
    if parts.len() > 3 || parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    parts.resize(3, "0");
    semver::Version::parse(&format!("{}{tail}", parts.join("."))).ok()
}

fn parse(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let source = text(&arguments[0]);
    let version = lenient(&source).ok_or_else(invalid)?;
    Ok(record(
        "*semver.Version",
        vec![
            ("Major", Value::uint64(version.major)),
            ("Minor", Value::uint64(version.minor)),
            ("Patch", Value::uint64(version.patch)),
            ("Prerelease", string(version.pre.as_str())),
            ("Metadata", string(version.build.as_str())),
            ("Original", string(&*source)),
        ],
    ))
}

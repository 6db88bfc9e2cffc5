//! Semantic versions.

use crate::functions::string;
use crate::go::context::Context;
use crate::go::function::{Answer, Fault, Function, Type, text};
use crate::go::object::Object;
use crate::go::value::{Text, Value};

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
    let original = text(&arguments[0]).into_owned();
    let version = lenient(&original).ok_or_else(invalid)?;
    Ok(Value::object(Parsed { version, original }))
}

/// A version with its parts. It prints as a whole.
#[derive(Debug)]
struct Parsed {
    version: semver::Version,
    original: String,
}

impl Object for Parsed {
    fn type_name(&self) -> &str {
        "*semver.Version"
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "Major" => Value::uint64(self.version.major),
            "Minor" => Value::uint64(self.version.minor),
            "Patch" => Value::uint64(self.version.patch),
            "Prerelease" => string(self.version.pre.as_str()),
            "Metadata" => string(self.version.build.as_str()),
            "Original" => string(&*self.original),
            "String" => string(self.version.to_string()),
            _ => return None,
        })
    }

    fn display(&self) -> Option<Text> {
        Some(self.version.to_string().into())
    }

    fn plain(&self) -> Option<Value> {
        Some(string(self.version.to_string()))
    }
}

//! Versions as operators write them (`1.2`, `v20.10.24+dfsg1`, `2.0.6-dev`) and what is required of them (`>= 1.2, < 2`, `~> 1.2.3`).

use std::cmp::Ordering;

/// Longer ones are nobody's version, and parsing has a bound.
const MAX_SEGMENTS: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    segments: Vec<u64>,
    /// How many segments were written: `~> 1.2` and `~> 1.2.0` mean different things.
    written: usize,
    pre: Vec<Identifier>,
}

/// A dot-separated part of a pre-release; numbers come before words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Word(String),
}

impl Version {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(version, _build)| version);
        let (numbers, pre) = match text.split_once('-') {
            Some((numbers, pre)) => (numbers, Some(pre)),
            // `1.2.3beta1` is written by some as well.
            None => match text.find(|c: char| c.is_ascii_alphabetic()) {
                Some(at) => (text[..at].trim_end_matches('.'), Some(&text[at..])),
                None => (text, None),
            },
        };
        let mut segments = numbers.split('.').take(MAX_SEGMENTS + 1).map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>()?;
        let written = segments.len();
        if written > MAX_SEGMENTS {
            return None;
        }
        segments.resize(written.max(3), 0);
        let identifier = |part: &str| part.parse().map_or_else(|_| Identifier::Word(part.to_owned()), Identifier::Number);
        let pre = pre.map(|pre| pre.split('.').map(identifier).collect()).unwrap_or_default();
        Some(Self { segments, written, pre })
    }

    fn is_release(&self) -> bool {
        self.pre.is_empty()
    }

    fn same_numbers(&self, other: &Self) -> bool {
        self.compare_numbers(other) == Ordering::Equal
    }

    fn compare_numbers(&self, other: &Self) -> Ordering {
        let length = self.segments.len().max(other.segments.len());
        let at = |version: &Self, index: usize| version.segments.get(index).copied().unwrap_or(0);
        (0..length).map(|index| at(self, index).cmp(&at(other, index))).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.compare_numbers(other).then_with(|| match (self.is_release(), other.is_release()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => self.pre.cmp(&other.pre),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// At least this, and the same but for the last written segment.
    Pessimistic,
}

/// All of a comma-separated list of comparisons.
#[derive(Clone, Debug)]
pub(super) struct Requirement {
    parts: Vec<(Relation, Version)>,
    /// By semantic versioning alone: a pre-release is just an earlier version.
    strict: bool,
}

impl Requirement {
    pub(super) fn parse(text: &str, strict: bool) -> Option<Self> {
        let part = |part: &str| {
            let part = part.trim();
            let at = part.find(|c: char| !matches!(c, '<' | '>' | '=' | '!' | '~')).unwrap_or(part.len());
            let relation = match &part[..at] {
                "" | "=" | "==" => Relation::Equal,
                "!=" => Relation::NotEqual,
                "<" => Relation::Less,
                "<=" => Relation::LessOrEqual,
                ">" => Relation::Greater,
                ">=" => Relation::GreaterOrEqual,
                "~>" if !strict => Relation::Pessimistic,
                _ => return None,
            };
            Some((relation, Version::parse(&part[at..])?))
        };
        Some(Self { parts: text.split(',').map(part).collect::<Option<_>>()?, strict })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        // Semantic versions are read by the book; the other kind leniently.
        if self.strict && semver::Version::parse(text.trim().trim_start_matches('v')).is_err() {
            return false;
        }
        let Some(version) = Version::parse(text) else { return false };
        self.parts.iter().all(|(relation, wanted)| self.holds(*relation, &version, wanted))
    }

    fn holds(&self, relation: Relation, version: &Version, wanted: &Version) -> bool {
        let order = version.compare(wanted);
        // Somebody who asks for `>= 1.2` does not expect `1.3-rc1`; a pre-release has to be asked for by naming one of the same numbers.
        let pre_release_asked = self.strict || version.is_release() || (!wanted.is_release() && version.same_numbers(wanted));
        match relation {
            Relation::Equal => order.is_eq(),
            Relation::NotEqual => order.is_ne(),
            Relation::Less => order.is_lt() && pre_release_asked,
            Relation::LessOrEqual => order.is_le() && pre_release_asked,
            Relation::Greater => order.is_gt() && pre_release_asked,
            Relation::GreaterOrEqual => order.is_ge() && pre_release_asked,
            Relation::Pessimistic => {
                let fixed = wanted.written.saturating_sub(1).max(1);
                order.is_ge() && pre_release_asked && version.segments.get(..fixed) == wanted.segments.get(..fixed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_required() {
        for (version, requirement, want) in [
            ("1.2.3", ">= 1.2", true),
            ("1.2.3", ">= 1.2, < 1.2.3", false),
            ("v1.2", "= 1.2.0", true),
            ("20.10.24+dfsg1", "> 19", true),
            ("1.2.9", "~> 1.2.3", true),
            ("1.3.0", "~> 1.2.3", false),
            ("1.9", "~> 1.2", true),
            ("2.0", "~> 1.2", false),
            ("1.3.0-rc1", ">= 1.2", false),
            ("1.3.0-rc2", ">= 1.3.0-rc1", true),
            ("1.3.0", "> 1.3.0-rc1", true),
            ("1.2", "!= 1.3", true),
            ("nonsense", ">= 1", false),
        ] {
            assert_eq!(Requirement::parse(requirement, false).unwrap().matches(version), want, "{version} {requirement}");
        }
        for (version, requirement, want) in [
            ("1.3.0-rc1", ">= 1.2.0", true),
            ("1.3", ">= 1.2.0", false),
            ("1.3.0-alpha.2", "< 1.3.0-alpha.10", true),
            ("1.3.0-alpha.2", "< 1.3.0-alpha.beta", true),
        ] {
            assert_eq!(Requirement::parse(requirement, true).unwrap().matches(version), want, "{version} {requirement}");
        }
        for bad in ["", "> ", ">> 1", "1..2", "x"] {
            assert!(Requirement::parse(bad, false).is_none(), "{bad}");
        }
    }
}

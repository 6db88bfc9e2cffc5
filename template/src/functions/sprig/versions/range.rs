//! Constraints on versions: `>=1.2, <2 || ~3.1`, `^1.4`, `1.2.x`, `1.2 - 1.4`.

use semver::Version;

use super::lenient;

/// Alternatives; in each all comparisons must hold.
#[derive(Debug)]
pub(super) struct Range(Vec<Vec<Comparison>>);

/// One comparison, as the versions from (and including) one to (and excluding) another.
#[derive(Debug)]
struct Comparison {
    from: Option<Version>,
    to: Option<Version>,
    /// Everything outside of it instead.
    negated: bool,
    /// The constraint itself names a pre-release, so pre-releases may match.
    with_prereleases: bool,
}

impl Range {
    pub(super) fn parse(source: &str) -> Option<Self> {
        source.split("||").map(alternative).collect::<Option<Vec<_>>>().map(Self)
    }

    pub(super) fn matches(&self, version: &Version) -> bool {
        self.0.iter().any(|all| all.iter().all(|one| one.matches(version)))
    }
}

impl Comparison {
    fn matches(&self, version: &Version) -> bool {
        if !version.pre.is_empty() && !self.with_prereleases {
            return false;
        }
        // Build metadata does not order versions.
        let at_least = |bound: &Version| version.cmp_precedence(bound).is_ge();
        let inside = self.from.as_ref().is_none_or(at_least) && !self.to.as_ref().is_some_and(at_least);
        inside != self.negated
    }
}

fn alternative(source: &str) -> Option<Vec<Comparison>> {
    if let Some((from, to)) = source.split_once(" - ") {
        let low = comparison(&format!(">={}", from.trim()))?;
        let high = comparison(&format!("<={}", to.trim()))?;
        return Some(vec![low, high]);
    }
    let mut all = Vec::new();
    let mut operator = String::new();
    for word in source.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty()) {
        // `>= 1.2` has a blank between.
        if word.chars().all(|c| "=!<>~^".contains(c)) {
            operator = word.to_owned();
            continue;
        }
        all.push(comparison(&format!("{operator}{word}"))?);
        operator.clear();
    }
    (!all.is_empty() && operator.is_empty()).then_some(all)
}

fn comparison(source: &str) -> Option<Comparison> {
    let version_at = source.find(|c: char| !"=!<>~^".contains(c))?;
    let (operator, word) = source.split_at(version_at);
    let word = word.strip_prefix('v').unwrap_or(word);
    let is_wild = |part: &str| matches!(part, "x" | "X" | "*");
    let core = word.split(['-', '+']).next().unwrap_or_default();
    let given: Vec<&str> = core.split('.').take_while(|part| !is_wild(part)).collect();
    let given = if given == [""] { Vec::new() } else { given };
    let tail = if given.len() == 3 { &word[core.len()..] } else { "" };
    let from = if given.is_empty() { Version::new(0, 0, 0) } else { lenient(&format!("{}{tail}", given.join(".")))? };
    let after = after(&from, given.len());
    let (from_bound, to_bound, negated) = match operator {
        "" | "=" if given.is_empty() => (None, None, false),
        "" | "=" => (Some(from.clone()), after, false),
        "!=" => (Some(from.clone()), after, true),
        ">" => (after, None, false),
        ">=" | "=>" => (Some(from.clone()), None, false),
        "<" => (None, Some(from.clone()), false),
        "<=" | "=<" => (None, after, false),
        "~" | "~>" => (Some(from.clone()), tilde(&from, given.len()), false),
        "^" => (Some(from.clone()), caret(&from, given.len()), false),
        _ => return None,
    };
    Some(Comparison { from: from_bound, to: to_bound, negated, with_prereleases: !from.pre.is_empty() })
}

/// The first version that is larger than all that the given parts name.
fn after(version: &Version, parts: usize) -> Option<Version> {
    match parts {
        0 => None,
        1 => Some(Version::new(version.major + 1, 0, 0)),
        2 => Some(Version::new(version.major, version.minor + 1, 0)),
        _ if version.pre.is_empty() => Some(Version::new(version.major, version.minor, version.patch + 1)),
        _ => {
            // Nothing lies between a pre-release and itself with one more part.
            let mut next = version.clone();
            next.pre = semver::Prerelease::new(&format!("{}.0", version.pre)).ok()?;
            Some(next)
        }
    }
}

fn tilde(version: &Version, parts: usize) -> Option<Version> {
    match parts {
        0 => None,
        1 => Some(Version::new(version.major + 1, 0, 0)),
        _ => Some(Version::new(version.major, version.minor + 1, 0)),
    }
}

fn caret(version: &Version, parts: usize) -> Option<Version> {
    match (parts, version.major, version.minor) {
        (0, ..) => None,
        (1, major, _) => Some(Version::new(major + 1, 0, 0)),
        (_, 0, 0) if parts > 2 => Some(Version::new(0, 0, version.patch + 1)),
        (_, 0, minor) => Some(Version::new(0, minor + 1, 0)),
        (_, major, _) => Some(Version::new(major + 1, 0, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints() {
        for (range, version, want) in [
            (">=1.2.0", "1.10.0", true),
            ("~1.2", "1.3.0", false),
            ("~1.2.3", "1.2.9", true),
            ("^1.2", "1.9.0", true),
            ("^0.2.3", "0.3.0", false),
            ("^0.0.3", "0.0.4", false),
            ("1.2.x", "1.2.7", true),
            ("1.2 - 1.4", "1.4.9", true),
            ("<1 || >= 2, <3", "2.5.0", true),
            ("!=1.2.3", "1.2.3", false),
            (">1.2", "1.2.9", false),
            (">=1.0.0", "1.1.0-beta", false),
            (">=1.0.0-0", "1.1.0-beta", true),
            ("*", "4.5.6", true),
            ("1.2.3", "v1.2.3+build", true),
        ] {
            assert_eq!(Range::parse(range).unwrap().matches(&lenient(version).unwrap()), want, "{range} {version}");
        }
        for bad in ["", ">=", "a.b", "==>1"] {
            assert!(Range::parse(bad).is_none(), "{bad}");
        }
    }
}

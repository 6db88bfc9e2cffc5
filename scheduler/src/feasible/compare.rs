//! Constraints and affinities as tests of one node.

use std::cmp::Ordering;

use drover_model::{
    job::{Affinity, Constraint, Operand},
    node::Node,
};
use regex::{Regex, RegexBuilder};

use super::{
    target::{is_literal, is_unique, resolve},
    version::Requirement,
};

/// A job's pattern may not cost the servers more than this to compile.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// One comparison, with what can be read ahead of the nodes.
#[derive(Debug)]
pub(crate) struct Check<'a> {
    left: &'a str,
    right: &'a str,
    operand: Operand,
    ready: Option<Ready>,
}

#[derive(Debug)]
enum Ready {
    Pattern(Regex),
    Version(Requirement),
    /// It cannot be read, so no node passes.
    Unreadable,
}

impl<'a> Check<'a> {
    pub(crate) fn of_constraint(constraint: &'a Constraint) -> Self {
        Self::new(&constraint.left, &constraint.right, constraint.operand)
    }

    pub(crate) fn of_affinity(affinity: &'a Affinity) -> Self {
        Self::new(&affinity.left, &affinity.right, affinity.operand)
    }

    fn new(left: &'a str, right: &'a str, operand: Operand) -> Self {
        let ready = if is_literal(right) { prepare(operand, right) } else { None };
        Self { left, right, operand, ready }
    }

    /// Whether nodes of one class may differ in it.
    pub(crate) fn is_unique(&self) -> bool {
        is_unique(self.left) || is_unique(self.right)
    }

    /// What the metrics call it.
    pub(crate) fn label(&self) -> String {
        format!("{} {} {}", self.left, self.operand.as_str(), self.right)
    }

    pub(crate) fn holds(&self, node: &Node) -> bool {
        let (left, right) = (resolve(node, self.left), resolve(node, self.right));
        match self.operand {
            Operand::IsSet => return left.is_some(),
            Operand::IsNotSet => return left.is_none(),
            Operand::NotEqual => return left != right,
            // Judged over all allocations of a job, not here.
            Operand::DistinctHosts | Operand::DistinctProperty => return true,
            _ => {}
        }
        let (Some(left), Some(right)) = (left, right) else { return false };
        match &self.ready {
            Some(ready) => ready.matches(&left),
            None => compare_texts(self.operand, &left, &right),
        }
    }
}

/// Two texts that are at hand.
pub(crate) fn compare_texts(operand: Operand, left: &str, right: &str) -> bool {
    prepare(operand, right).map_or_else(|| compare(operand, left, right), |ready| ready.matches(left))
}

fn prepare(operand: Operand, right: &str) -> Option<Ready> {
    Some(match operand {
        Operand::Regexp => match RegexBuilder::new(right).size_limit(MAX_PATTERN_BYTES).build() {
            Ok(pattern) => Ready::Pattern(pattern),
            Err(_) => Ready::Unreadable,
        },
        Operand::Version | Operand::Semver => {
            Requirement::parse(right, operand == Operand::Semver).map_or(Ready::Unreadable, Ready::Version)
        }
        _ => return None,
    })
}

impl Ready {
    fn matches(&self, left: &str) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.is_match(left),
            Self::Version(requirement) => requirement.matches(left),
            Self::Unreadable => false,
        }
    }
}

fn compare(operand: Operand, left: &str, right: &str) -> bool {
    match operand {
        Operand::Equal => left == right,
        Operand::Less => order(left, right).is_lt(),
        Operand::LessOrEqual => order(left, right).is_le(),
        Operand::Greater => order(left, right).is_gt(),
        Operand::GreaterOrEqual => order(left, right).is_ge(),
        Operand::SetContains => items(right).all(|wanted| items(left).any(|item| item == wanted)),
        Operand::SetContainsAny => items(right).any(|wanted| items(left).any(|item| item == wanted)),
        _ => false,
    }
}

/// As numbers where both are, else as text.
fn order(left: &str, right: &str) -> Ordering {
    if let (Ok(left), Ok(right)) = (left.parse::<i64>(), right.parse::<i64>()) {
        return left.cmp(&right);
    }
    if let (Ok(left), Ok(right)) = (left.parse::<f64>(), right.parse::<f64>()) {
        return left.total_cmp(&right);
    }
    left.cmp(right)
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operand_compares() {
        let mut node = Node::default();
        for (key, value) in [("n", "9"), ("f", "2.5"), ("os", "debian"), ("v", "1.4.2"), ("set", "a, b,c"), ("same", "debian")] {
            node.attributes.insert(key.to_owned(), value.to_owned());
        }
        use Operand::*;
        for (left, operand, right, want) in [
            ("${attr.os}", Equal, "debian", true),
            ("${attr.os}", Equal, "${attr.same}", true),
            ("${attr.missing}", Equal, "debian", false),
            ("${attr.os}", NotEqual, "alpine", true),
            ("${attr.os}", NotEqual, "debian", false),
            ("${attr.missing}", NotEqual, "debian", true),
            ("${attr.n}", Less, "10", true),
            ("${attr.n}", LessOrEqual, "9", true),
            ("${attr.n}", Greater, "10", false),
            ("${attr.n}", GreaterOrEqual, "9.0", true),
            ("${attr.f}", Less, "10", true),
            ("${attr.os}", Less, "ebian", true),
            ("${attr.missing}", Less, "1", false),
            ("${attr.os}", Regexp, "^deb", true),
            ("${attr.os}", Regexp, "ubuntu|bia", true),
            ("${attr.os}", Regexp, "(", false),
            ("${attr.v}", Version, ">= 1.4, < 2", true),
            ("${attr.v}", Semver, ">= 1.5.0", false),
            ("${attr.v}", Version, "garbage", false),
            ("${attr.set}", SetContains, "a,c", true),
            ("${attr.set}", SetContains, "a,d", false),
            ("${attr.set}", SetContainsAny, "d,c", true),
            ("${attr.set}", SetContainsAny, "d", false),
            ("${attr.os}", IsSet, "", true),
            ("${attr.missing}", IsSet, "", false),
            ("${attr.missing}", IsNotSet, "", true),
            ("${attr.os}", IsNotSet, "", false),
        ] {
            let constraint = Constraint { left: left.to_owned(), right: right.to_owned(), operand };
            assert_eq!(Check::of_constraint(&constraint).holds(&node), want, "{constraint}");
        }
    }
}

//! Which nodes a group may run on at all, whatever else runs there.

use drover_model::{
    ids::Name,
    job::{Constraint, Job, Operand, TaskGroup},
    node::Node,
};

use crate::volumes::{self, Mount};

pub(crate) use compare::{Check, compare_texts};
pub(crate) use target::{is_unique, resolve};

mod compare;
mod target;
mod version;

/// Whether a node is one of those that a job asked for by pool and datacenter.
pub(crate) fn in_scope(job: &Job, node: &Node) -> bool {
    in_pool(job, node) && job.datacenters.iter().any(|pattern| glob(pattern.as_bytes(), node.datacenter.as_bytes()))
}

/// The built-in pool that every node is in.
const ALL_POOLS: &str = "all";

pub(crate) fn in_pool(job: &Job, node: &Node) -> bool {
    job.node_pool == node.node_pool || job.node_pool == ALL_POOLS
}

/// `*` stands for any text.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where to go back to: the last star, and how much it has swallowed.
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        if at < pattern.len() && pattern[at] == b'*' {
            star = Some((at, from));
            at += 1;
        } else if at < pattern.len() && pattern[at] == text[from] {
            (at, from) = (at + 1, from + 1);
        } else if let Some((star_at, swallowed)) = star {
            star = Some((star_at, swallowed + 1));
            (at, from) = (star_at + 1, swallowed + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// At most so many allocations (of the job, or of the group) for each value of a property.
#[derive(Debug)]
pub(crate) struct DistinctProperty<'a> {
    pub(crate) target: &'a str,
    pub(crate) limit: u32,
    pub(crate) whole_job: bool,
}

/// What a group asks of its nodes apart from room.
#[derive(Debug)]
pub(crate) struct Requirements<'a> {
    drivers: Vec<&'a str>,
    /// Those in which nodes of a class do not differ, and the others.
    of_class: Vec<Check<'a>>,
    of_node: Vec<Check<'a>>,
    /// The first of the volumes that a plugin would have to give.
    foreign_volume: Option<&'a str>,
    group: &'a TaskGroup,
    namespace: &'a Name,
    mounts: Vec<Mount>,
    pub(crate) distinct_hosts_of_job: bool,
    pub(crate) distinct_hosts_of_group: bool,
    pub(crate) distinct_properties: Vec<DistinctProperty<'a>>,
}

/// Why a node cannot take a group, in the metrics' words.
pub(crate) mod reason {
    pub(crate) const DRIVERS: &str = "missing drivers";
    pub(crate) const HOST_VOLUMES: &str = "missing compatible host volumes";
    pub(crate) const DEVICES: &str = "missing devices";
    pub(crate) const NETWORK: &str = "missing network";
    pub(crate) const TOPOLOGY: &str = "did not meet topology requirement";
    pub(crate) const DISTINCT_HOSTS: &str = "distinct_hosts";
}

impl<'a> Requirements<'a> {
    pub(crate) fn new(job: &'a Job, group: &'a TaskGroup) -> Self {
        let mut drivers: Vec<_> = group.tasks.iter().map(|task| task.driver.as_str()).collect();
        drivers.sort_unstable();
        drivers.dedup();
        let mut requirements = Self {
            drivers,
            of_class: Vec::new(),
            of_node: Vec::new(),
            foreign_volume: group.volumes.values().find(|volume| volume.kind == "csi").map(|volume| volume.source.as_str()),
            group,
            namespace: &job.namespace,
            mounts: volumes::mounts(group, None),
            distinct_hosts_of_job: false,
            distinct_hosts_of_group: false,
            distinct_properties: Vec::new(),
        };
        let of_group = group.constraints.iter().chain(group.tasks.iter().flat_map(|task| task.constraints.iter()));
        job.constraints.iter().for_each(|constraint| requirements.add(constraint, true));
        of_group.for_each(|constraint| requirements.add(constraint, false));
        requirements
    }

    /// For the allocation with this number, which may have volumes of its own.
    pub(crate) fn numbered(mut self, index: Option<u32>) -> Self {
        self.mounts = volumes::mounts(self.group, index);
        self
    }

    fn add(&mut self, constraint: &'a Constraint, whole_job: bool) {
        match constraint.operand {
            Operand::DistinctHosts if is_off(&constraint.right) => {}
            Operand::DistinctHosts if whole_job => self.distinct_hosts_of_job = true,
            Operand::DistinctHosts => self.distinct_hosts_of_group = true,
            Operand::DistinctProperty => {
                let limit = constraint.right.trim().parse().unwrap_or(1);
                self.distinct_properties.push(DistinctProperty { target: &constraint.left, limit, whole_job });
            }
            _ => {
                let check = Check::of_constraint(constraint);
                if check.is_unique() { self.of_node.push(check) } else { self.of_class.push(check) }
            }
        }
    }

    /// Whether a class says nothing about its nodes.
    pub(crate) fn escape_class(&self) -> bool {
        self.tell_nodes_apart() || self.distinct_properties.iter().any(|property| is_unique(property.target))
    }

    /// Whether [`Self::refused_by_node`] is to be asked at all.
    pub(crate) fn tell_nodes_apart(&self) -> bool {
        !self.of_node.is_empty() || !self.mounts.is_empty()
    }

    /// What is the same for all nodes of a class: the reason against it.
    pub(crate) fn refused_by_class(&self, node: &Node) -> Option<String> {
        let healthy = |driver: &&str| node.drivers.get(*driver).is_some_and(|info| info.detected && info.healthy);
        if !self.drivers.iter().all(healthy) {
            return Some(reason::DRIVERS.to_owned());
        }
        if let Some(failed) = self.of_class.iter().find(|check| !check.holds(node)) {
            return Some(failed.label());
        }
        self.foreign_volume.map(|source| format!("missing CSI volume(s) {source}"))
    }

    pub(crate) fn refused_by_node(&self, node: &Node) -> Option<String> {
        let failed = self.of_node.iter().find(|check| !check.holds(node)).map(Check::label);
        failed.or_else(|| (!volumes::has_all(node, self.namespace, &self.mounts)).then(|| reason::HOST_VOLUMES.to_owned()))
    }
}

/// Whether a node meets constraints that are of no job.
pub fn meets(node: &Node, constraints: &[Constraint]) -> bool {
    constraints.iter().all(|constraint| Check::of_constraint(constraint).holds(node))
}

fn is_off(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("false")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_any_text() {
        for (pattern, text, want) in [
            ("*", "dc1", true),
            ("dc1", "dc1", true),
            ("dc1", "dc10", false),
            ("dc*", "dc10", true),
            ("*-eu-*", "a-eu-b", true),
            ("*-eu-*", "a-us-b", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbY", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), want, "{pattern} {text}");
        }
    }
}

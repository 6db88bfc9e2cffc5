//! Whole cores for single tasks, on one NUMA node where a task asks for that.

use std::collections::BTreeMap;

use drover_model::{
    job::{Resources, TaskGroup},
    node::Node,
};

use crate::{
    feasible::reason,
    fit::{Misfit, Usage},
};

/// How much a task cares that its cores are close to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closeness {
    Any,
    Prefer,
    Require,
}

fn closeness(asked: &Resources) -> Closeness {
    match asked.numa.as_ref().map(|numa| numa.affinity.as_str()) {
        Some("prefer") => Closeness::Prefer,
        Some("require") => Closeness::Require,
        _ => Closeness::Any,
    }
}

/// The NUMA node of each core, as the client found it; a core that it does not name is on node 0.
fn numa_nodes(node: &Node) -> BTreeMap<u64, u64> {
    let cores = node.resources.processors.topology.get("Cores").and_then(|cores| cores.as_array());
    let pair = |core: &serde_json::Value| Some((core.get("ID")?.as_u64()?, core.get("NodeID")?.as_u64()?));
    cores.into_iter().flatten().filter_map(pair).collect()
}

fn reservable(node: &Node) -> impl Iterator<Item = u16> + '_ {
    let kept = &node.reserved.cpu.reserved_cores;
    node.resources.cpu.reservable_cores.iter().copied().filter(|core| !kept.contains(core))
}

/// Cores by NUMA node.
fn by_numa_node(node: &Node, cores: impl Iterator<Item = u16>) -> BTreeMap<u64, Vec<u16>> {
    let places = numa_nodes(node);
    let mut grouped: BTreeMap<u64, Vec<u16>> = BTreeMap::new();
    cores.for_each(|core| grouped.entry(places.get(&u64::from(core)).copied().unwrap_or(0)).or_default().push(core));
    grouped
}

/// What a node cannot give, whoever uses it: as many cores on one NUMA node as a task requires there.
pub(super) fn refused(node: &Node, group: &TaskGroup) -> Option<String> {
    let strict =
        || group.tasks.iter().map(|task| &task.resources).filter(|asked| closeness(asked) == Closeness::Require && asked.cores > 0);
    strict().next()?;
    let most = by_numa_node(node, reservable(node)).values().map(Vec::len).max().unwrap_or(0);
    strict().any(|asked| asked.cores as usize > most).then(|| reason::TOPOLOGY.to_owned())
}

/// Gives cores of one node to one allocation.
pub(super) struct Chooser<'n> {
    node: &'n Node,
    free: Vec<u16>,
}

impl<'n> Chooser<'n> {
    pub(super) fn new(node: &'n Node, usage: &Usage) -> Self {
        Self { node, free: reservable(node).filter(|core| usage.cores.binary_search(core).is_err()).collect() }
    }

    pub(super) fn give(&mut self, asked: &Resources) -> Result<Vec<u16>, Misfit> {
        let wanted = asked.cores as usize;
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let from = match closeness(asked) {
            Closeness::Any => None,
            // The one that is left with the least: others may need the larger rest.
            _ => {
                by_numa_node(self.node, self.free.iter().copied()).into_values().filter(|cores| cores.len() >= wanted).min_by_key(Vec::len)
            }
        };
        let chosen: Vec<u16> = match from {
            Some(cores) => cores[..wanted].to_vec(),
            None if self.free.len() < wanted => return Err(Misfit::Cores),
            None if closeness(asked) == Closeness::Require => return Err(Misfit::NumaCores),
            None => self.free[..wanted].to_vec(),
        };
        self.free.retain(|core| !chosen.contains(core));
        Ok(chosen)
    }
}

/// Whether the cores that a group asks for are to be had at this moment.
pub(super) fn taken(node: &Node, usage: &Usage, group: &TaskGroup) -> Option<Misfit> {
    let mut chooser = Chooser::new(node, usage);
    group.tasks.iter().find_map(|task| chooser.give(&task.resources).err())
}

#[cfg(test)]
mod tests {
    use drover_model::{job::Task, spec::Numa};
    use serde_json::json;

    use super::*;

    /// Cores 0 to 3 on NUMA node 0, 4 and 5 on node 1.
    fn node() -> Node {
        let mut node = Node::default();
        node.resources.cpu.reservable_cores = vec![0, 1, 2, 3, 4, 5].into();
        let cores: Vec<_> = (0..6).map(|id| json!({"ID": id, "NodeID": u8::from(id > 3)})).collect();
        node.resources.processors.topology = json!({ "Cores": cores });
        node
    }

    fn asking(cores: u32, affinity: &str) -> TaskGroup {
        let numa = Some(Numa { affinity: affinity.to_owned(), ..Numa::default() });
        let task = Task { resources: Resources { cores, numa, ..Resources::default() }, ..Task::default() };
        TaskGroup { tasks: vec![task].into(), ..TaskGroup::default() }
    }

    #[test]
    fn cores_are_close_where_that_is_asked_for() {
        for (cores, affinity, used, want) in [
            (2, "none", vec![0], Ok(vec![1, 2])),
            (2, "prefer", vec![], Ok(vec![4, 5])),
            (3, "require", vec![], Ok(vec![0, 1, 2])),
            (2, "require", vec![5], Ok(vec![0, 1])),
            (2, "prefer", vec![0, 1, 2, 5], Ok(vec![3, 4])),
            (2, "require", vec![0, 1, 2, 5], Err(Misfit::NumaCores)),
            (3, "require", vec![0, 1, 2, 5], Err(Misfit::Cores)),
            (7, "none", vec![], Err(Misfit::Cores)),
        ] {
            let (group, usage) = (asking(cores, affinity), Usage { cores: used, ..Usage::default() });
            let got = Chooser::new(&node(), &usage).give(&group.tasks[0].resources);
            assert_eq!(taken(&node(), &usage, &group), got.as_ref().err().cloned());
            assert_eq!(got, want, "{cores} {affinity}");
        }
        for (cores, affinity, want) in [(4, "require", false), (5, "require", true), (5, "prefer", false), (5, "none", false)] {
            assert_eq!(refused(&node(), &asking(cores, affinity)).is_some(), want, "{cores} {affinity}");
        }
    }
}

//! The search that is compared with: of the nodes, in a random order, the first few that fit, and of these the fullest.

use std::collections::BTreeSet;

use drover_model::{
    job::{Job, Operand},
    node::Node,
    resources::Amounts,
};

use super::{Chance, Filled};

/// How many nodes that fit are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The power of two choices.
    Two,
    /// The logarithm of the number of nodes to the base 2.
    Logarithm,
}

struct Place {
    node: Node,
    capacity: Amounts,
    used: Amounts,
    ports: BTreeSet<u16>,
}

pub(super) struct Search {
    places: Vec<Place>,
    order: Vec<usize>,
    limit: usize,
    chance: Chance,
    allocations: usize,
}

/// What a job asks for: amounts, ports, and the rack.
struct Ask<'a> {
    amounts: Amounts,
    ports: Vec<u16>,
    rack: Option<&'a str>,
}

impl<'a> Ask<'a> {
    fn of(job: &'a Job) -> Self {
        let group = &job.task_groups[0];
        let resources = &group.tasks[0].resources;
        let rack = job.constraints.iter().find(|rule| rule.operand == Operand::Equal).map(|rule| rule.right.as_str());
        Self {
            amounts: Amounts { cpu_mhz: u64::from(resources.cpu_mhz), memory_mib: u64::from(resources.memory_mib), ..Amounts::default() },
            ports: group.networks.iter().flat_map(|network| network.reserved_ports.iter()).map(|port| port.value).collect(),
            rack,
        }
    }
}

impl Search {
    pub(super) fn new(nodes: impl Iterator<Item = Node>, limit: Limit, seed: u64) -> Self {
        let place = |node: Node| Place { capacity: node.capacity(), used: Amounts::default(), ports: BTreeSet::new(), node };
        let places: Vec<_> = nodes.map(place).collect();
        let limit = match limit {
            Limit::Two => 2,
            Limit::Logarithm => places.len().max(2).ilog2() as usize + 1,
        };
        Self { order: (0..places.len()).collect(), places, limit, chance: Chance::new(seed ^ 0x5eed), allocations: 0 }
    }

    /// Whether it was placed.
    pub(super) fn place(&mut self, job: &Job) -> bool {
        let ask = Ask::of(job);
        for at in (1..self.order.len()).rev() {
            let other = self.chance.below(u32::try_from(at + 1).unwrap_or(u32::MAX)) as usize;
            self.order.swap(at, other);
        }
        let fitting = self.order.iter().copied().filter(|at| self.places[*at].takes(&ask)).take(self.limit);
        let Some(best) = fitting.max_by(|a, b| self.places[*a].score(&ask).total_cmp(&self.places[*b].score(&ask))) else { return false };
        let place = &mut self.places[best];
        place.used = place.used.plus(ask.amounts);
        place.ports.extend(ask.ports);
        self.allocations += 1;
        true
    }

    #[expect(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
    pub(super) fn filled(&self) -> Filled {
        let sum = |amounts: fn(&Place) -> u64| self.places.iter().map(amounts).sum::<u64>() as f64;
        Filled {
            allocations: self.allocations,
            cpu: sum(|place| place.used.cpu_mhz) / sum(|place| place.capacity.cpu_mhz),
            memory: sum(|place| place.used.memory_mib) / sum(|place| place.capacity.memory_mib),
        }
    }
}

impl Place {
    fn takes(&self, ask: &Ask<'_>) -> bool {
        ask.amounts.exceeds(&self.capacity.minus(self.used)).is_none()
            && !ask.ports.iter().any(|port| self.ports.contains(port))
            && ask.rack.is_none_or(|rack| self.node.meta.get("rack").is_some_and(|own| own == rack))
    }

    /// The scheduler's own measure: 10 to the power of the free share, for processor and memory.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
    fn score(&self, ask: &Ask<'_>) -> f64 {
        let used = self.used.plus(ask.amounts);
        let power = |used: u64, capacity: u64| 10_f64.powf(1.0 - used as f64 / capacity as f64);
        20.0 - power(used.cpu_mhz, self.capacity.cpu_mhz) - power(used.memory_mib, self.capacity.memory_mib)
    }
}

//! How full a cluster gets: jobs come one after another until the first one finds no place.
//!
//! Beside the scheduler runs what it is compared with: a search that looks at a few nodes in a random order and takes the better one ([`sampled()`]). It is here for
//! the comparison alone.

use drover_model::{
    job::{Constraint, Job, JobType, NetworkResource, Operand, Port},
    node::Node,
};
use drover_scheduler::Error;

use crate::cluster::{self, Cluster};

mod chance;
mod sampled;

pub use chance::Chance;
pub use sampled::Limit;

const NODES: u32 = 200;
const RACKS: u32 = 4;
/// Jobs that one replay may take: far more than fit.
const MOST_JOBS: u32 = 100_000;

/// What kind of jobs come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    CpuHeavy,
    MemoryHeavy,
    Ports,
    Constraints,
}

impl Mix {
    pub const ALL: [Self; 4] = [Self::CpuHeavy, Self::MemoryHeavy, Self::Ports, Self::Constraints];

    pub fn name(self) -> &'static str {
        match self {
            Self::CpuHeavy => "CPU-heavy",
            Self::MemoryHeavy => "memory-heavy",
            Self::Ports => "fixed ports",
            Self::Constraints => "constraints",
        }
    }

    /// The next job: mostly small ones, some large, a few of the other shape.
    fn job(self, number: u32, chance: &mut Chance) -> Job {
        let (small, large) = (200 + 100 * chance.below(8), 2000 + 500 * chance.below(9));
        let main = if chance.percent(25) { large } else { small };
        let side = 50 + 25 * chance.below(10);
        let turned = chance.percent(20);
        let (cpu_mhz, memory_mib) = match (self, turned) {
            (Self::CpuHeavy, false) | (Self::MemoryHeavy, true) => (main, side),
            (Self::MemoryHeavy, false) | (Self::CpuHeavy, true) => (side, main),
            _ => (main, 100 + 50 * chance.below(12)),
        };
        let mut job = cluster::job(&format!("job-{number}"), JobType::Batch, 1, cpu_mhz, memory_mib);
        match self {
            Self::Ports if chance.percent(40) => {
                let value = u16::try_from(8000 + chance.below(150)).unwrap_or(8000);
                let port = Port { label: "http".to_owned(), value, ..Port::default() };
                job.task_groups[0].networks.push(NetworkResource { reserved_ports: vec![port].into(), ..NetworkResource::default() });
            }
            Self::Constraints if chance.percent(40) => {
                let right = format!("r{}", chance.below(RACKS));
                job.constraints.push(Constraint { left: "${meta.rack}".to_owned(), operand: Operand::Equal, right });
            }
            _ => {}
        }
        job
    }
}

/// Two sizes of nodes, half and half.
fn nodes() -> impl Iterator<Item = Node> {
    (0..NODES).map(|number| {
        let (cpu_mhz, memory_mib) = if number % 2 == 0 { (8_000, 8_000) } else { (16_000, 12_000) };
        cluster::node(number, number / 2 % RACKS, cpu_mhz, memory_mib)
    })
}

/// How far a cluster was filled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Filled {
    pub allocations: usize,
    /// The share of the cluster's processor in use, from 0 to 1.
    pub cpu: f64,
    /// The same of its memory.
    pub memory: f64,
}

impl Filled {
    /// The fuller of the two, which is what ran out.
    pub fn bound(&self) -> f64 {
        self.cpu.max(self.memory)
    }
}

/// Fills a cluster with jobs drawn from a seed, by the scheduler.
pub fn exact(mix: Mix, seed: u64) -> Result<Filled, Error> {
    let (mut chance, mut cluster) = (Chance::new(seed), Cluster::new(nodes()));
    for number in 0..MOST_JOBS {
        let job = mix.job(number, &mut chance);
        let key = job.key();
        cluster.register(job);
        let outcome = cluster.evaluate(&key)?;
        if outcome.plan.placements.is_empty() {
            break;
        }
        cluster.apply(outcome);
    }
    let (cpu, memory) = cluster.utilisation();
    Ok(Filled { allocations: cluster.allocation_count(), cpu, memory })
}

/// The same jobs on the same nodes, by a sampled search.
pub fn sampled(mix: Mix, seed: u64, limit: Limit) -> Filled {
    let mut chance = Chance::new(seed);
    let mut search = sampled::Search::new(nodes(), limit, seed);
    for number in 0..MOST_JOBS {
        if !search.place(&mix.job(number, &mut chance)) {
            break;
        }
    }
    search.filled()
}

/// The mean of several seeds.
pub fn mean(filled: &[Filled]) -> Filled {
    let count = f64::from(u32::try_from(filled.len()).unwrap_or(u32::MAX).max(1));
    Filled {
        allocations: filled.iter().map(|one| one.allocations).sum::<usize>() / filled.len().max(1),
        cpu: filled.iter().map(|one| one.cpu).sum::<f64>() / count,
        memory: filled.iter().map(|one| one.memory).sum::<f64>() / count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_at_every_node_packs_as_well_or_better() {
        // What is a tie in truth may be a job more or less in three runs.
        let behind = 0.002;
        for mix in Mix::ALL {
            let exact: Vec<_> = (0..3).map(|seed| exact(mix, seed).unwrap()).collect();
            for limit in [Limit::Two, Limit::Logarithm] {
                let sampled: Vec<_> = (0..3).map(|seed| sampled(mix, seed, limit)).collect();
                let (ours, theirs) = (mean(&exact), mean(&sampled));
                assert!(ours.bound() + behind >= theirs.bound(), "{mix:?} {limit:?}: {ours:?} against {theirs:?}");
                assert!(ours.bound() <= 1.0 && theirs.bound() > 0.3, "{mix:?}: both are filled, and not beyond what there is");
            }
        }
    }
}

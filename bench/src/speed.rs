//! How long plans take: nodes by allocations by racks, with and without a spread and an affinity.

use std::time::Duration;

use drover_model::job::{Affinity, Job, JobType, Operand, Spread};
use drover_scheduler::Error;

use crate::{
    Elapsed,
    cluster::{self, Cluster},
};

pub const NODES: [u32; 4] = [100, 1_000, 5_000, 10_000];
pub const ALLOCATIONS: [u32; 4] = [300, 1_000, 10_000, 100_000];
pub const RACKS: [u32; 2] = [1, 50];

/// A figure is the best of so many runs, as long as they take less than [`ENOUGH`] together.
const RUNS: u32 = 5;
const ENOUGH: Duration = Duration::from_millis(400);

/// What each allocation asks for.
const CPU_MHZ: u32 = 20;
const MEMORY_MIB: u32 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    pub nodes: u32,
    pub allocations: u32,
    pub racks: u32,
    /// With a spread over racks and an affinity for every other one.
    pub liking: bool,
}

/// What came of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    pub case: Case,
    /// One evaluation that places everything.
    pub placing: Duration,
    /// One evaluation that finds everything in place.
    pub looking: Duration,
}

impl Figure {
    pub fn placements_per_second(&self) -> f64 {
        f64::from(self.case.allocations) / self.placing.as_secs_f64()
    }

    /// The most that an evaluation which changes nothing may take.
    pub fn looking_goal(&self) -> Duration {
        Duration::from_micros(50 + u64::from(self.case.allocations))
    }
}

/// Every combination of the table; `quick`: without the largest.
pub fn cases(quick: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    for liking in [false, true] {
        for racks in RACKS {
            for nodes in NODES {
                let allocations = ALLOCATIONS.into_iter().filter(|allocations| !quick || *allocations <= 10_000);
                cases.extend(allocations.map(|allocations| Case { nodes, allocations, racks, liking }));
            }
        }
    }
    cases
}

fn cluster(case: Case) -> (Cluster, Job) {
    let on_each = u64::from(case.allocations.div_ceil(case.nodes)) * 2 + 8;
    let (cpu_mhz, memory_mib) = (on_each * u64::from(CPU_MHZ), on_each * u64::from(MEMORY_MIB));
    let cluster = Cluster::new((0..case.nodes).map(|number| cluster::node(number, number % case.racks, cpu_mhz, memory_mib)));
    let mut job = cluster::job("web", JobType::Service, case.allocations, CPU_MHZ, MEMORY_MIB);
    if case.liking {
        let attribute = || "${meta.rack}".to_owned();
        job.spreads.push(Spread { attribute: attribute(), weight: 50, ..Spread::default() });
        job.affinities.push(Affinity { left: attribute(), right: "[02468]$".to_owned(), operand: Operand::Regexp, weight: 50 });
    }
    (cluster, job)
}

/// Runs a case.
pub fn run(case: Case, elapsed: Elapsed<'_>) -> Result<Figure, Error> {
    let (mut cluster, job) = cluster(case);
    let key = job.key();
    cluster.register(job);
    let (placing, outcome) = best(elapsed, || cluster.evaluate(&key))?;
    cluster.apply(outcome);
    let (looking, _) = best(elapsed, || cluster.evaluate(&key))?;
    Ok(Figure { case, placing, looking })
}

fn best<T>(elapsed: Elapsed<'_>, work: impl Fn() -> Result<T, Error>) -> Result<(Duration, T), Error> {
    let begin = elapsed();
    let mut result = work()?;
    let mut best = elapsed().saturating_sub(begin);
    for _ in 1..RUNS {
        if elapsed().saturating_sub(begin) > ENOUGH {
            break;
        }
        let started = elapsed();
        let again = work()?;
        best = best.min(elapsed().saturating_sub(started));
        // The one before goes only now, so that freeing it is no part of the next.
        result = again;
    }
    Ok((best, result))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn every_case_places_all_and_then_nothing() {
        let ticks = Cell::new(0);
        let elapsed = || {
            ticks.set(ticks.get() + 1);
            Duration::from_millis(ticks.get())
        };
        for case in cases(false).into_iter().filter(|case| case.nodes == 100 && case.allocations == 300) {
            let (mut cluster, job) = cluster(case);
            let key = job.key();
            cluster.register(job);
            let outcome = cluster.evaluate(&key).unwrap();
            cluster.apply(outcome);
            assert_eq!(cluster.allocation_count(), 300, "{case:?}");
            assert!(cluster.evaluate(&key).unwrap().plan.is_noop(), "{case:?}");
            let figure = run(case, &elapsed).unwrap();
            assert_eq!((figure.placing, figure.looking), (Duration::from_millis(1), Duration::from_millis(1)));
        }
        assert_eq!((cases(false).len(), cases(true).len()), (64, 48));
    }
}

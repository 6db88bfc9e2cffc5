//! Affinities: which nodes a group would rather have.

use drover_model::{
    job::{Job, TaskGroup},
    node::Node,
};

use crate::feasible::Check;

/// Those of the job, the group and its tasks together.
#[derive(Debug)]
pub(crate) struct Affinities<'a> {
    checks: Vec<(Check<'a>, f64)>,
    total: f64,
}

impl<'a> Affinities<'a> {
    pub(crate) fn new(job: &'a Job, group: &'a TaskGroup) -> Self {
        let of_tasks = group.tasks.iter().flat_map(|task| task.affinities.iter());
        let all = job.affinities.iter().chain(group.affinities.iter()).chain(of_tasks);
        let checks: Vec<_> = all.map(|affinity| (Check::of_affinity(affinity), f64::from(affinity.weight))).collect();
        Self { total: checks.iter().map(|(_, weight)| weight.abs()).sum(), checks }
    }

    pub(crate) fn escape_class(&self) -> bool {
        self.checks.iter().any(|(check, _)| check.is_unique())
    }

    /// From -1 to 1; 0 when there is nothing to say.
    pub(crate) fn score(&self, node: &Node) -> f64 {
        if self.total == 0.0 {
            return 0.0;
        }
        let matched: f64 = self.checks.iter().filter(|(check, _)| check.holds(node)).map(|(_, weight)| weight).sum();
        matched / self.total
    }
}

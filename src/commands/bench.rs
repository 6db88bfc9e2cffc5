//! `drover bench ...`

pub(crate) mod packing;
pub(crate) mod scheduler;
pub(crate) mod template;

use crate::verbs;

verbs! {
    /// How long the scheduler takes to place jobs, over clusters and jobs of many sizes
    Scheduler(scheduler::Args),
    /// How full clusters get before the first refusal, beside a sampled search
    Packing(packing::Args),
    /// From a changed key to the changed files of those who watch it
    Template(template::Args),
}

//! `drover operator ...`

pub(crate) mod api;
pub(crate) mod autopilot;
pub(crate) mod debug;
pub(crate) mod gossip;
pub(crate) mod metrics;
pub(crate) mod raft;
pub(crate) mod scheduler;
pub(crate) mod snapshot;

use crate::verbs;

verbs! {
    /// Call any path of the API and print the answer
    Api(api::Args),
    /// How the servers look after each other
    Autopilot(autopilot::Args),
    /// The keys that servers seal their gossip with
    Gossip(gossip::Args),
    /// Gather what helps to find a fault, as an archive
    Debug(debug::Args),
    /// The figures that an agent gives to those who watch it
    Metrics(metrics::Args),
    /// Who takes part in consensus, and who leads
    Raft(raft::Args),
    /// How allocations are placed
    Scheduler(scheduler::Args),
    /// The servers' whole state as a file
    Snapshot(snapshot::Args),
}

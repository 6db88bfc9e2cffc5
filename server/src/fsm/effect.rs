//! What the outside has to do about a change.

use std::{collections::BTreeSet, sync::Arc};

use drover_model::{
    evaluation::Evaluation,
    ids::{DeploymentId, JobKey, NodeId},
};

/// Performed by the leader, but for [`Effect::AllocationsChanged`], which every server passes on to the nodes that listen to it.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// An evaluation waits to be scheduled, now or at its time.
    Evaluate(Arc<Evaluation>),
    /// An evaluation waits for room.
    Block(Arc<Evaluation>),
    /// An evaluation has ended: nobody waits for it any more.
    Settled(Arc<Evaluation>),
    /// Nodes of this class may take more than before.
    Unblock { class: String, index: u64 },
    /// This quota may allow more than before.
    UnblockQuota { quota: String, index: u64 },
    /// The servers changed allocations of these nodes.
    AllocationsChanged { nodes: BTreeSet<NodeId> },
    /// A deployment, or the health of one of its allocations, changed.
    DeploymentChanged(DeploymentId),
    /// Changed texts of templates wait for their turn in this job's allocations.
    TemplatesWait(JobKey),
    /// A node came, went or changed its status, drain or eligibility.
    NodeChanged(NodeId),
    /// A job came, went, or changed its version or status.
    JobChanged(JobKey),
    /// The scheduler's settings changed.
    SchedulerConfigChanged,
    /// Another state has taken this one's place: whatever services remember is of the old one.
    Restored,
}

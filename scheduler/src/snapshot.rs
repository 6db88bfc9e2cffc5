//! What a scheduler sees of the cluster.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use drover_model::{
    allocation::Allocation,
    deployment::Deployment,
    ids::{JobKey, NodeId},
    job::{Job, JobType},
    node::Node,
    resources::Amounts,
};

use rustc_hash::FxHasher;

use crate::{
    fit::{Usage, slots},
    quota::QuotaRoom,
};

/// What is asked of every node before any is looked at closely. Kept beside the node: thousands of nodes lie all over the memory, and fetching each costs more
/// than comparing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    pub schedulable: bool,
    /// Equal for nodes that no constraint tells apart.
    pub class: u64,
    pub capacity: Amounts,
    /// The most allocations that it takes.
    pub slots: u32,
}

impl Profile {
    pub fn of(node: &Node) -> Self {
        let mut class = FxHasher::default();
        match node.computed_class.as_str() {
            // A node that has no class yet is one of its own.
            "" => node.id.hash(&mut class),
            known => known.hash(&mut class),
        }
        Self { schedulable: node.is_schedulable(), class: class.finish(), capacity: node.capacity(), slots: slots(node) }
    }
}

/// A node among thousands.
#[derive(Clone, Copy, Debug)]
pub struct Member<'s> {
    pub id: NodeId,
    pub node: &'s Arc<Node>,
    pub profile: Profile,
    /// What its allocations use; [`Usage::none`] when there are none.
    pub usage: &'s Usage,
}

/// The state of the cluster at one index. Implemented by the servers' state and by tests; every answer must be of the same index.
pub trait Snapshot {
    fn index(&self) -> u64;

    fn job(&self, key: &JobKey) -> Option<Arc<Job>>;

    /// All of them, ended ones included.
    fn job_allocations(&self, key: &JobKey) -> Vec<Arc<Allocation>>;

    fn node(&self, id: NodeId) -> Option<&Arc<Node>>;

    /// Every node, in the order of ids.
    fn nodes(&self) -> Box<dyn Iterator<Item = Member<'_>> + '_>;

    /// The allocations that hold resources of a node (see [`Allocation::holds_resources`]).
    fn node_allocations(&self, id: NodeId) -> Vec<Arc<Allocation>>;

    /// The newest deployment of a version of the job, whatever became of it.
    fn latest_deployment(&self, key: &JobKey) -> Option<Arc<Deployment>>;

    /// The operator's settings for jobs of a node pool.
    fn scheduler_config(&self, node_pool: &str) -> Config;

    /// The quota of a namespace, with what is used of it; none when nothing limits the namespace.
    fn quota(&self, _namespace: &str) -> Option<QuotaRoom> {
        None
    }
}

/// Whether nodes are filled up one after another or evenly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    #[default]
    Binpack,
    Spread,
}

/// What operators set for schedulers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    pub algorithm: Algorithm,
    /// Whether tasks may be given more memory (`memory_max`) than is reserved for them.
    pub memory_oversubscription: bool,
    pub preemption: Preemption,
}

/// For which kinds of jobs allocations of lower priority may be evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preemption {
    pub service: bool,
    pub batch: bool,
    pub system: bool,
    pub sysbatch: bool,
}

impl Default for Preemption {
    fn default() -> Self {
        Self { service: false, batch: false, system: true, sysbatch: false }
    }
}

impl Preemption {
    pub fn allowed_for(&self, kind: JobType) -> bool {
        match kind {
            JobType::Service => self.service,
            JobType::Batch => self.batch,
            JobType::System => self.system,
            JobType::Sysbatch => self.sysbatch,
        }
    }
}

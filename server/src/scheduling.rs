//! The state as schedulers see it.

use std::sync::Arc;

use drover_model::{
    allocation::Allocation,
    deployment::Deployment,
    ids::{JobKey, NodeId},
    job::Job,
    node::Node,
};
use drover_scheduler::{Algorithm, Config, Preemption, Snapshot, Usage};

use crate::state::{SchedulerAlgorithm, State};

impl Snapshot for State {
    fn index(&self) -> u64 {
        Self::index(self)
    }

    fn job(&self, key: &JobKey) -> Option<Arc<Job>> {
        Self::job(self, key).cloned()
    }

    fn job_allocations(&self, key: &JobKey) -> Vec<Arc<Allocation>> {
        self.allocations_of_job(key).cloned().collect()
    }

    fn node(&self, id: NodeId) -> Option<&Arc<Node>> {
        Self::node(self, id)
    }

    fn nodes(&self) -> Box<dyn Iterator<Item = (&Arc<Node>, &Usage)> + '_> {
        Box::new(self.nodes_with_usage())
    }

    fn node_allocations(&self, id: NodeId) -> Vec<Arc<Allocation>> {
        self.allocations_of_node(id).filter(|allocation| allocation.holds_resources()).cloned().collect()
    }

    fn latest_deployment(&self, key: &JobKey) -> Option<Arc<Deployment>> {
        self.latest_rollout(key).cloned()
    }

    /// The same for all node pools, as long as pools have no settings of their own.
    fn scheduler_config(&self, _node_pool: &str) -> Config {
        let config = Self::scheduler_config(self);
        let preemption = &config.preemption_config;
        Config {
            algorithm: match config.scheduler_algorithm {
                SchedulerAlgorithm::Binpack => Algorithm::Binpack,
                SchedulerAlgorithm::Spread => Algorithm::Spread,
            },
            memory_oversubscription: config.memory_oversubscription_enabled,
            preemption: Preemption {
                service: preemption.service,
                batch: preemption.batch,
                system: preemption.system,
                sysbatch: preemption.sysbatch,
            },
        }
    }
}

//! The state as schedulers see it.

use std::sync::Arc;

use drover_model::{
    allocation::Allocation,
    deployment::Deployment,
    ids::{JobKey, NodeId},
    job::Job,
    namespace::PoolAlgorithm,
    node::Node,
};
use drover_scheduler::{Algorithm, Config, Member, Preemption, QuotaRoom, Snapshot};

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

    fn nodes(&self) -> Box<dyn Iterator<Item = Member<'_>> + '_> {
        Box::new(self.members())
    }

    fn node_allocations(&self, id: NodeId) -> Vec<Arc<Allocation>> {
        self.allocations_of_node(id).filter(|allocation| allocation.holds_resources()).cloned().collect()
    }

    fn latest_deployment(&self, key: &JobKey) -> Option<Arc<Deployment>> {
        self.latest_rollout(key).cloned()
    }

    fn quota(&self, namespace: &str) -> Option<QuotaRoom> {
        self.quota_room(namespace)
    }

    /// What the pool says goes before what holds for the cluster.
    fn scheduler_config(&self, node_pool: &str) -> Config {
        let config = Self::scheduler_config(self);
        let preemption = &config.preemption_config;
        let pool = self.node_pool(node_pool).and_then(|pool| pool.scheduler_configuration).unwrap_or_default();
        Config {
            algorithm: match (pool.scheduler_algorithm, config.scheduler_algorithm) {
                (PoolAlgorithm::Binpack, _) | (PoolAlgorithm::Inherited, SchedulerAlgorithm::Binpack) => Algorithm::Binpack,
                (PoolAlgorithm::Spread, _) | (PoolAlgorithm::Inherited, SchedulerAlgorithm::Spread) => Algorithm::Spread,
            },
            memory_oversubscription: pool.memory_oversubscription_enabled.unwrap_or(config.memory_oversubscription_enabled),
            preemption: Preemption {
                service: preemption.service,
                batch: preemption.batch,
                system: preemption.system,
                sysbatch: preemption.sysbatch,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use drover_model::namespace::{NodePool, PoolScheduling};

    use super::*;
    use crate::state::SchedulerConfig;

    #[test]
    fn a_pool_says_how_its_jobs_are_scheduled_or_leaves_it_to_the_cluster() {
        let pool = |name: &str, scheduler_algorithm, memory_oversubscription_enabled| NodePool {
            name: name.to_owned(),
            scheduler_configuration: Some(PoolScheduling { scheduler_algorithm, memory_oversubscription_enabled }),
            ..NodePool::default()
        };
        for (cluster, oversubscribes) in [(SchedulerAlgorithm::Spread, true), (SchedulerAlgorithm::Binpack, false)] {
            let mut state = State::default();
            state.put_scheduler_config(SchedulerConfig {
                scheduler_algorithm: cluster,
                memory_oversubscription_enabled: oversubscribes,
                ..SchedulerConfig::default()
            });
            state.put_node_pool(pool("packed", PoolAlgorithm::Binpack, Some(false)));
            state.put_node_pool(pool("even", PoolAlgorithm::Spread, Some(true)));
            state.put_node_pool(pool("half", PoolAlgorithm::Inherited, Some(!oversubscribes)));
            let of_cluster = if cluster == SchedulerAlgorithm::Spread { Algorithm::Spread } else { Algorithm::Binpack };
            for (pool, algorithm, oversubscription) in [
                ("packed", Algorithm::Binpack, false),
                ("even", Algorithm::Spread, true),
                ("half", of_cluster, !oversubscribes),
                ("default", of_cluster, oversubscribes),
                ("unknown", of_cluster, oversubscribes),
            ] {
                let config = Snapshot::scheduler_config(&state, pool);
                assert_eq!((config.algorithm, config.memory_oversubscription), (algorithm, oversubscription), "{pool} under {cluster:?}");
            }
        }
    }
}

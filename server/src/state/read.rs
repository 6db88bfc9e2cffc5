//! Reading the state. Lists come in the order of their keys.

use std::sync::Arc;

use drover_model::{
    allocation::Allocation,
    deployment::Deployment,
    evaluation::{EvalStatus, Evaluation},
    ids::{AllocId, DeploymentId, EvalId, JobKey, KeyId, Name, NodeId},
    job::{Job, JobSubmission, JobSummary, StoredScaling},
    kv::{KvEntry, StoredSecret},
    node::Node,
    rpc::autopilot::AutopilotConfig,
    service::ServiceRegistration,
    variable::StoredVariable,
};
use drover_scheduler::{Member, Usage};

use super::{IdPrefix, JobCounts, SchedulerConfig, Staged, State, TableId};
use crate::identity::{StoredCa, StoredKey};

impl State {
    /// The index of the newest command.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The index of the newest change in any of these tables; at least 1, as the API's headers want it.
    pub fn index_of(&self, tables: &[TableId]) -> u64 {
        tables.iter().map(|table| self.table_index(*table)).max().unwrap_or(self.index).max(1)
    }

    pub fn table_index(&self, table: TableId) -> u64 {
        self.indexes[table as usize]
    }
}

/// Jobs.
impl State {
    pub fn job(&self, key: &JobKey) -> Option<&Arc<Job>> {
        self.jobs.get(key)
    }

    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = &Arc<Job>> {
        self.jobs.values()
    }

    /// Jobs of a namespace whose id begins with `prefix`.
    pub fn jobs_with_prefix<'a>(&'a self, namespace: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a Arc<Job>> {
        let first = JobKey::new(namespace, prefix);
        let from = self.jobs.from_key(&first).map(|(_, job)| job);
        from.take_while(move |job| &*job.namespace == namespace && job.id.starts_with(prefix)).collect::<Vec<_>>().into_iter()
    }

    /// The jobs that a periodic or parameterized one begot.
    pub fn job_children(&self, parent: &JobKey) -> impl Iterator<Item = &Arc<Job>> + use<'_> {
        self.job_children.under(parent).filter_map(|key| self.jobs.get(key))
    }

    /// The version that is known by a name.
    pub fn tagged_version(&self, key: &JobKey, name: &str) -> Option<Arc<Job>> {
        self.job_versions(key).into_iter().find(|job| job.version_tag.as_ref().is_some_and(|tag| tag.name == name))
    }

    /// What became of the counts of a job's groups.
    pub fn scaling(&self, key: &JobKey) -> Option<&Arc<StoredScaling>> {
        self.scaling.get(key)
    }

    pub fn job_version(&self, key: &JobKey, version: u64) -> Option<&Arc<Job>> {
        self.job_versions.get(&(key.clone(), version))
    }

    /// All known versions of a job, the newest first.
    pub fn job_versions(&self, key: &JobKey) -> Vec<Arc<Job>> {
        let from = self.job_versions.from_key(&(key.clone(), 0));
        let mut versions: Vec<_> = from.take_while(|((of, _), _)| of == key).map(|(_, job)| Arc::clone(job)).collect();
        versions.reverse();
        versions
    }

    /// The newest version that ran well, other than `but`.
    pub fn stable_version(&self, key: &JobKey, but: u64) -> Option<Arc<Job>> {
        self.job_versions(key).into_iter().find(|job| job.stable && job.version != but)
    }

    pub fn submission(&self, key: &JobKey, version: u64) -> Option<&Arc<JobSubmission>> {
        self.submissions.get(&(key.clone(), version))
    }

    pub fn summary(&self, key: &JobKey) -> Option<&Arc<JobSummary>> {
        self.summaries.get(key)
    }

    pub fn summaries(&self) -> impl Iterator<Item = &Arc<JobSummary>> {
        self.summaries.values()
    }

    pub fn job_counts(&self, key: &JobKey) -> JobCounts {
        self.counts.get(key).copied().unwrap_or_default()
    }
}

/// Nodes.
impl State {
    pub fn node(&self, id: NodeId) -> Option<&Arc<Node>> {
        self.nodes.get(&id).map(|(node, _)| node)
    }

    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = &Arc<Node>> {
        self.nodes.values().map(|(node, _)| node)
    }

    pub fn nodes_with_prefix(&self, prefix: IdPrefix) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes
            .from_key(&NodeId::from(prefix.first))
            .map(|(_, (node, _))| node)
            .take_while(move |node| prefix.contains(node.id.as_uuid()))
    }

    /// What allocations take up on a node.
    pub fn node_usage(&self, id: NodeId) -> &Usage {
        match self.usage.get(&id) {
            Some(usage) => usage,
            None => Usage::none(),
        }
    }

    /// Every node with what its allocations take up, in the order of ids: both tables are walked side by side.
    pub fn members(&self) -> impl Iterator<Item = Member<'_>> {
        let mut usages = self.usage.iter().peekable();
        self.nodes.iter().map(move |(id, (node, profile))| {
            while usages.next_if(|(of, _)| *of < id).is_some() {}
            let usage = match usages.next_if(|(of, _)| *of == id) {
                Some((_, usage)) => &**usage,
                None => Usage::none(),
            };
            Member { id: *id, node, profile: *profile, usage }
        })
    }
}

/// Allocations.
impl State {
    pub fn allocation(&self, id: AllocId) -> Option<&Arc<Allocation>> {
        self.allocations.get(&id)
    }

    pub fn allocations(&self) -> impl DoubleEndedIterator<Item = &Arc<Allocation>> {
        self.allocations.values()
    }

    pub fn allocation_count(&self) -> usize {
        self.allocations.len()
    }

    pub fn allocations_with_prefix(&self, prefix: IdPrefix) -> impl Iterator<Item = &Arc<Allocation>> {
        let from = self.allocations.from_key(&AllocId::from(prefix.first)).map(|(_, row)| row);
        from.take_while(move |row| prefix.contains(row.id.as_uuid()))
    }

    pub fn allocations_of_job(&self, key: &JobKey) -> impl Iterator<Item = &Arc<Allocation>> + use<'_> {
        self.allocations_by_job.under(key).filter_map(|id| self.allocations.get(id))
    }

    pub fn allocations_of_node(&self, id: NodeId) -> impl Iterator<Item = &Arc<Allocation>> {
        self.allocations_by_node.under(&id).filter_map(|id| self.allocations.get(id))
    }

    pub fn allocations_of_evaluation(&self, id: EvalId) -> impl Iterator<Item = &Arc<Allocation>> {
        self.allocations_by_eval.under(&id).filter_map(|id| self.allocations.get(id))
    }

    pub fn allocations_of_deployment(&self, id: DeploymentId) -> impl Iterator<Item = &Arc<Allocation>> {
        self.allocations_by_deployment.under(&id).filter_map(|id| self.allocations.get(id))
    }
}

/// Evaluations.
impl State {
    pub fn evaluation(&self, id: EvalId) -> Option<&Arc<Evaluation>> {
        self.evaluations.get(&id)
    }

    pub fn evaluations(&self) -> impl DoubleEndedIterator<Item = &Arc<Evaluation>> {
        self.evaluations.values()
    }

    pub fn evaluations_with_prefix(&self, prefix: IdPrefix) -> impl Iterator<Item = &Arc<Evaluation>> {
        let from = self.evaluations.from_key(&EvalId::from(prefix.first)).map(|(_, row)| row);
        from.take_while(move |row| prefix.contains(row.id.as_uuid()))
    }

    pub fn evaluations_of_job(&self, key: &JobKey) -> impl Iterator<Item = &Arc<Evaluation>> + use<'_> {
        self.evaluations_by_job.under(key).filter_map(|id| self.evaluations.get(id))
    }

    pub fn blocked_evaluations_of_job(&self, key: &JobKey) -> impl Iterator<Item = &Arc<Evaluation>> + use<'_> {
        self.evaluations_of_job(key).filter(|evaluation| evaluation.status == EvalStatus::Blocked)
    }
}

/// Deployments.
impl State {
    pub fn deployment(&self, id: DeploymentId) -> Option<&Arc<Deployment>> {
        self.deployments.get(&id)
    }

    pub fn deployments(&self) -> impl DoubleEndedIterator<Item = &Arc<Deployment>> {
        self.deployments.values()
    }

    pub fn deployments_with_prefix(&self, prefix: IdPrefix) -> impl Iterator<Item = &Arc<Deployment>> {
        let from = self.deployments.from_key(&DeploymentId::from(prefix.first)).map(|(_, row)| row);
        from.take_while(move |row| prefix.contains(row.id.as_uuid()))
    }

    pub fn deployments_of_job(&self, key: &JobKey) -> impl Iterator<Item = &Arc<Deployment>> + use<'_> {
        self.deployments_by_job.under(key).filter_map(|id| self.deployments.get(id))
    }

    /// Whatever it rolls out.
    pub fn latest_deployment(&self, key: &JobKey) -> Option<&Arc<Deployment>> {
        self.deployments_of_job(key).max_by_key(|deployment| deployment.create_index)
    }

    /// The newest one of a version of the job: what the scheduler goes by.
    pub fn latest_rollout(&self, key: &JobKey) -> Option<&Arc<Deployment>> {
        let of_versions = self.deployments_of_job(key).filter(|deployment| !deployment.is_of_templates());
        of_versions.max_by_key(|deployment| deployment.create_index)
    }

    /// The one that lets changed templates in, while there is one.
    pub fn active_template_roll(&self, key: &JobKey) -> Option<&Arc<Deployment>> {
        self.deployments_of_job(key).find(|deployment| deployment.is_of_templates() && deployment.is_active())
    }
}

/// The embedded catalogue, key-value store, secrets and keys.
impl State {
    pub fn service(&self, id: &str) -> Option<&Arc<ServiceRegistration>> {
        self.services.get(id)
    }

    pub fn services(&self) -> impl Iterator<Item = &Arc<ServiceRegistration>> {
        self.services.values()
    }

    pub fn service_instances(&self, namespace: &Name, name: &Name) -> impl Iterator<Item = &Arc<ServiceRegistration>> + use<'_> {
        self.services_by_name.under(&(namespace.clone(), name.clone())).filter_map(|id| self.services.get(id))
    }

    pub fn services_of_allocation(&self, id: AllocId) -> impl Iterator<Item = &Arc<ServiceRegistration>> {
        self.services_by_allocation.under(&id).filter_map(|id| self.services.get(id))
    }

    pub fn services_of_node(&self, id: NodeId) -> impl Iterator<Item = &Arc<ServiceRegistration>> {
        self.services_by_node.under(&id).filter_map(|id| self.services.get(id))
    }

    pub fn kv(&self, key: &str) -> Option<&Arc<KvEntry>> {
        self.kv.get(key)
    }

    pub fn kv_with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Arc<KvEntry>> {
        self.kv.from_key(prefix).map(|(_, entry)| entry).take_while(move |entry| entry.key.starts_with(prefix))
    }

    pub fn secret(&self, path: &str) -> Option<&Arc<StoredSecret>> {
        self.secrets.get(path)
    }

    pub fn secrets_with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Arc<StoredSecret>> {
        self.secrets.from_key(prefix).map(|(_, secret)| secret).take_while(move |secret| secret.path.starts_with(prefix))
    }

    pub fn variable(&self, namespace: &Name, path: &str) -> Option<&Arc<StoredVariable>> {
        self.variables.get(&(namespace.clone(), path.into()))
    }

    pub fn variables(&self) -> impl Iterator<Item = &Arc<StoredVariable>> {
        self.variables.values()
    }

    pub fn variables_with_prefix<'a>(&'a self, namespace: &'a Name, prefix: &'a str) -> impl Iterator<Item = &'a Arc<StoredVariable>> {
        let from = self.variables.from_key(&(namespace.clone(), Name::from(prefix))).map(|(_, row)| row);
        from.take_while(move |row| row.namespace == *namespace && row.path.starts_with(prefix))
    }

    pub fn key(&self, id: KeyId) -> Option<&Arc<StoredKey>> {
        self.keys.get(&id)
    }

    pub fn keys(&self) -> impl Iterator<Item = &Arc<StoredKey>> {
        self.keys.values()
    }

    pub fn ca(&self) -> Option<&Arc<StoredCa>> {
        self.ca.as_ref()
    }

    pub fn staged(&self) -> Option<&Staged> {
        self.staged.as_ref()
    }

    pub fn autopilot_config(&self) -> &Arc<AutopilotConfig> {
        &self.autopilot_config
    }

    pub fn scheduler_config(&self) -> &Arc<SchedulerConfig> {
        &self.scheduler_config
    }
}

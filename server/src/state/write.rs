//! Changing the state. Every method keeps rows, indexes, counts, summaries and usage in step, and notes the table's change.

use std::{collections::BTreeSet, sync::Arc};

use drover_model::{
    allocation::Allocation,
    deployment::Deployment,
    evaluation::Evaluation,
    ids::{AllocId, DeploymentId, EvalId, JobKey, KeyId, Name, NodeId},
    job::{Job, JobSubmission, JobSummary, StoredScaling},
    kv::{KvEntry, StoredSecret},
    node::Node,
    rpc::autopilot::AutopilotConfig,
    service::ServiceRegistration,
    variable::StoredVariable,
};
use drover_scheduler::Profile;

use super::{JobCounts, SchedulerConfig, Staged, State, TableId, summary};
use crate::identity::{StoredCa, StoredKey};

impl State {
    /// Begins the command with this index.
    pub(crate) fn begin(&mut self, index: u64) {
        self.index = index;
        self.touched_jobs.clear();
    }

    /// Jobs whose counts changed since [`State::begin`].
    pub(crate) fn take_touched_jobs(&mut self) -> BTreeSet<JobKey> {
        std::mem::take(&mut self.touched_jobs)
    }

    pub(super) fn restore_indexes(&mut self, index: u64, indexes: [u64; TableId::COUNT]) {
        self.index = index;
        self.indexes = indexes;
        self.touched_jobs.clear();
    }

    pub(super) fn table_indexes(&self) -> [u64; TableId::COUNT] {
        self.indexes
    }

    pub(super) fn touch(&mut self, table: TableId) {
        self.indexes[table as usize] = self.index;
    }

    fn change_counts(&mut self, key: JobKey, change: impl FnOnce(&mut JobCounts)) {
        let before = self.job_counts(&key);
        let mut after = before;
        change(&mut after);
        if after == before {
            return;
        }
        if after.is_empty() {
            self.counts.remove(&key);
        } else {
            self.counts.insert(key.clone(), after);
        }
        self.touched_jobs.insert(key);
    }
}

/// Jobs.
impl State {
    /// Puts a job as the current one and as its version.
    pub(crate) fn put_job(&mut self, job: Arc<Job>) {
        let key = job.key();
        if !job.parent_id.is_empty() {
            self.job_children.insert(JobKey::new(job.namespace.clone(), job.parent_id.as_str()), key.clone());
        }
        self.job_versions.insert((key.clone(), job.version), Arc::clone(&job));
        self.touched_jobs.insert(key.clone());
        self.jobs.insert(key, job);
        self.touch(TableId::Jobs);
    }

    /// Changes a version that is not (or no longer) the current one.
    pub(crate) fn put_job_version(&mut self, job: Arc<Job>) {
        self.job_versions.insert((job.key(), job.version), job);
        self.touch(TableId::Jobs);
    }

    pub(crate) fn remove_job_version(&mut self, key: &JobKey, version: u64) {
        self.job_versions.remove(&(key.clone(), version));
        self.submissions.remove(&(key.clone(), version));
        self.touch(TableId::Jobs);
    }

    pub(crate) fn put_submission(&mut self, key: JobKey, version: u64, submission: JobSubmission) {
        self.submissions.insert((key, version), Arc::new(submission));
        self.touch(TableId::Jobs);
    }

    /// Forgets a job with its versions, submissions, summary and scaling events.
    pub(crate) fn remove_job(&mut self, key: &JobKey) -> Option<Arc<Job>> {
        let job = self.jobs.remove(key)?;
        if !job.parent_id.is_empty() {
            self.job_children.remove(JobKey::new(job.namespace.clone(), job.parent_id.as_str()), key.clone());
        }
        for version in self.job_versions(key) {
            self.remove_job_version(key, version.version);
        }
        self.touch(TableId::Jobs);
        if self.summaries.remove(key).is_some() {
            self.touch(TableId::Summaries);
        }
        if self.scaling.remove(key).is_some() {
            self.touch(TableId::Scaling);
        }
        Some(job)
    }

    pub(crate) fn put_scaling(&mut self, scaling: StoredScaling) {
        self.scaling.insert(scaling.key.clone(), Arc::new(scaling));
        self.touch(TableId::Scaling);
    }

    pub(crate) fn put_summary(&mut self, summary: JobSummary) {
        let key = JobKey::new(summary.namespace.clone(), summary.job_id.clone());
        self.summaries.insert(key, Arc::new(summary));
        self.touch(TableId::Summaries);
    }

    /// Changes a summary that exists.
    pub(crate) fn change_summary(&mut self, key: &JobKey, change: impl FnOnce(&mut JobSummary)) {
        let index = self.index;
        if self.summaries.get(key).is_none() {
            return;
        }
        self.summaries.change(key, |summary| {
            change(summary);
            summary.modify_index = index;
        });
        self.touch(TableId::Summaries);
    }
}

/// Nodes.
impl State {
    pub(crate) fn put_node(&mut self, node: Node) {
        let profile = Profile::of(&node);
        self.nodes.insert(node.id, (Arc::new(node), profile));
        self.touch(TableId::Nodes);
    }

    pub(crate) fn remove_node(&mut self, id: NodeId) -> Option<Arc<Node>> {
        let (node, _) = self.nodes.remove(&id)?;
        self.touch(TableId::Nodes);
        Some(node)
    }
}

/// Allocations.
impl State {
    pub(crate) fn put_allocation(&mut self, allocation: Allocation) {
        let allocation = Arc::new(allocation);
        let old = self.allocations.insert(allocation.id, Arc::clone(&allocation));
        let key = allocation.job_key();
        match &old {
            None => self.index_allocation(&allocation, &key),
            Some(old) if old.deployment_id != allocation.deployment_id || old.eval_id != allocation.eval_id => {
                self.reindex_allocation(old, &allocation);
            }
            Some(_) => {}
        }
        self.change_usage(old.as_deref(), Some(&allocation));
        self.change_counts(key.clone(), |counts| {
            if let Some(old) = &old {
                counts.take_allocation(old);
            }
            counts.add_allocation(&allocation);
        });
        if old.as_ref().is_none_or(|old| old.client_status != allocation.client_status) {
            self.change_summary(&key, |summary| summary::count(summary, old.as_deref(), &allocation));
        }
        self.touch(TableId::Allocations);
    }

    fn index_allocation(&mut self, allocation: &Allocation, key: &JobKey) {
        self.allocations_by_node.insert(allocation.node_id, allocation.id);
        self.allocations_by_job.insert(key.clone(), allocation.id);
        self.allocations_by_eval.insert(allocation.eval_id, allocation.id);
        if let Some(deployment) = allocation.deployment_id {
            self.allocations_by_deployment.insert(deployment, allocation.id);
        }
    }

    fn reindex_allocation(&mut self, old: &Allocation, new: &Allocation) {
        self.allocations_by_eval.remove(old.eval_id, old.id);
        self.allocations_by_eval.insert(new.eval_id, new.id);
        if let Some(deployment) = old.deployment_id {
            self.allocations_by_deployment.remove(deployment, old.id);
        }
        if let Some(deployment) = new.deployment_id {
            self.allocations_by_deployment.insert(deployment, new.id);
        }
    }

    pub(crate) fn remove_allocation(&mut self, id: AllocId) -> Option<Arc<Allocation>> {
        let old = self.allocations.remove(&id)?;
        let key = old.job_key();
        self.allocations_by_node.remove(old.node_id, id);
        self.allocations_by_job.remove(key.clone(), id);
        self.allocations_by_eval.remove(old.eval_id, id);
        if let Some(deployment) = old.deployment_id {
            self.allocations_by_deployment.remove(deployment, id);
        }
        self.change_usage(Some(&old), None);
        self.change_counts(key, |counts| counts.take_allocation(&old));
        self.touch(TableId::Allocations);
        Some(old)
    }

    fn change_usage(&mut self, old: Option<&Allocation>, new: Option<&Allocation>) {
        let old = old.filter(|allocation| allocation.holds_resources());
        let new = new.filter(|allocation| allocation.holds_resources());
        if let (Some(old), Some(new)) = (old, new)
            && old.node_id == new.node_id
            && (Arc::ptr_eq(&old.resources, &new.resources) || old.resources == new.resources)
        {
            return;
        }
        self.change_quota_use(old, new);
        if let Some(old) = old {
            self.usage.change(&old.node_id, |usage| usage.remove(old));
            if self.usage.get(&old.node_id).is_some_and(|usage| usage.is_empty()) {
                self.usage.remove(&old.node_id);
            }
        }
        if let Some(new) = new {
            self.usage.change(&new.node_id, |usage| usage.add(new));
        }
    }
}

/// Evaluations and deployments.
impl State {
    pub(crate) fn put_evaluation(&mut self, evaluation: Arc<Evaluation>) {
        let key = evaluation.job_key();
        let old = self.evaluations.insert(evaluation.id, Arc::clone(&evaluation));
        if old.is_none() {
            self.evaluations_by_job.insert(key.clone(), evaluation.id);
        }
        self.change_counts(key, |counts| {
            if let Some(old) = &old {
                counts.take_evaluation(old);
            }
            counts.add_evaluation(&evaluation);
        });
        self.touch(TableId::Evaluations);
    }

    pub(crate) fn remove_evaluation(&mut self, id: EvalId) -> Option<Arc<Evaluation>> {
        let old = self.evaluations.remove(&id)?;
        let key = old.job_key();
        self.evaluations_by_job.remove(key.clone(), id);
        self.change_counts(key, |counts| counts.take_evaluation(&old));
        self.touch(TableId::Evaluations);
        Some(old)
    }

    pub(crate) fn put_deployment(&mut self, deployment: Deployment) {
        self.deployments_by_job.insert(deployment.job_key(), deployment.id);
        self.deployments.insert(deployment.id, Arc::new(deployment));
        self.touch(TableId::Deployments);
    }

    /// Changes a deployment that exists.
    pub(crate) fn change_deployment(&mut self, id: DeploymentId, change: impl FnOnce(&mut Deployment)) {
        if self.deployments.get(&id).is_some() {
            self.deployments.change(&id, change);
            self.touch(TableId::Deployments);
        }
    }

    pub(crate) fn remove_deployment(&mut self, id: DeploymentId) -> Option<Arc<Deployment>> {
        let old = self.deployments.remove(&id)?;
        self.deployments_by_job.remove(old.job_key(), id);
        self.touch(TableId::Deployments);
        Some(old)
    }
}

/// The embedded catalogue, key-value store, secrets and keys.
impl State {
    pub(crate) fn put_service(&mut self, service: ServiceRegistration) {
        let id = Name::from(service.id.as_str());
        self.remove_service(&id);
        self.services_by_name.insert((service.namespace.clone(), service.service_name.clone()), id.clone());
        self.services_by_allocation.insert(service.alloc_id, id.clone());
        self.services_by_node.insert(service.node_id, id.clone());
        self.services.insert(id, Arc::new(service));
        self.touch(TableId::Services);
    }

    pub(crate) fn remove_service(&mut self, id: &str) -> Option<Arc<ServiceRegistration>> {
        let old = self.services.remove(id)?;
        let id = Name::from(id);
        self.services_by_name.remove((old.namespace.clone(), old.service_name.clone()), id.clone());
        self.services_by_allocation.remove(old.alloc_id, id.clone());
        self.services_by_node.remove(old.node_id, id);
        self.touch(TableId::Services);
        Some(old)
    }

    pub(crate) fn put_kv(&mut self, entry: KvEntry) {
        self.kv.insert(entry.key.as_str().into(), Arc::new(entry));
        self.touch(TableId::Kv);
    }

    pub(crate) fn remove_kv(&mut self, key: &str) -> Option<Arc<KvEntry>> {
        let old = self.kv.remove(key)?;
        self.touch(TableId::Kv);
        Some(old)
    }

    pub(crate) fn put_secret(&mut self, secret: StoredSecret) {
        self.secrets.insert(secret.path.as_str().into(), Arc::new(secret));
        self.touch(TableId::Secrets);
    }

    pub(crate) fn remove_secret(&mut self, path: &str) -> Option<Arc<StoredSecret>> {
        let old = self.secrets.remove(path)?;
        self.touch(TableId::Secrets);
        Some(old)
    }

    pub(crate) fn put_variable(&mut self, variable: StoredVariable) {
        self.variables.insert((variable.namespace.clone(), variable.path.clone()), Arc::new(variable));
        self.touch(TableId::Variables);
    }

    pub(crate) fn remove_variable(&mut self, namespace: &Name, path: &str) -> Option<Arc<StoredVariable>> {
        let old = self.variables.remove(&(namespace.clone(), Name::from(path)))?;
        self.touch(TableId::Variables);
        Some(old)
    }

    pub(crate) fn put_key(&mut self, key: StoredKey) {
        self.keys.insert(key.id, Arc::new(key));
        self.touch(TableId::Keys);
    }

    pub(crate) fn remove_key(&mut self, id: KeyId) -> Option<Arc<StoredKey>> {
        let old = self.keys.remove(&id)?;
        self.touch(TableId::Keys);
        Some(old)
    }

    pub(crate) fn put_ca(&mut self, ca: StoredCa) {
        self.ca = Some(Arc::new(ca));
        self.touch(TableId::Ca);
    }

    pub(crate) fn put_staged(&mut self, staged: Option<Staged>) {
        self.staged = staged;
    }

    /// Everything in it counts as changed at this index.
    pub(crate) fn renumber(&mut self, index: u64) {
        self.restore_indexes(index, [index; TableId::COUNT]);
    }

    pub(crate) fn put_autopilot_config(&mut self, config: AutopilotConfig) {
        self.autopilot_config = Arc::new(config);
        self.touch(TableId::SchedulerConfig);
    }

    pub(crate) fn put_scheduler_config(&mut self, config: SchedulerConfig) {
        self.scheduler_config = Arc::new(config);
        self.touch(TableId::SchedulerConfig);
    }
}

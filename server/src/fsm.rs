//! Commands turned into rows: the one way in which the state changes.
//!
//! [`apply`] is deterministic: time, ids and decisions come inside the command. What the outside has to do about a change is returned as
//! [`Effect`]s; every server applies, but only the leader performs effects.

use std::{collections::BTreeSet, sync::Arc};

use drover_model::{
    allocation::Allocation,
    evaluation::{EvalStatus, Evaluation},
    ids::{DeploymentId, JobKey, NodeId},
    job::JobStatus,
    time::UnixNanos,
};

use self::command::{Applied, Command, Proposed};
use crate::state::{State, summary};

pub use effect::Effect;
pub(crate) use variable::LOCKED;
pub(crate) use volume::uses;

mod allocation;
mod catalogue;
pub mod command;
mod deployment;
mod effect;
mod evaluation;
mod job;
mod namespace;
mod node;
mod plan;
mod quota;
mod restore;
mod scaling;
mod template;
#[cfg(test)]
mod tests;
mod variable;
mod volume;

/// Applies one command at its index.
pub fn apply(state: &mut State, index: u64, proposed: Proposed) -> (Applied, Vec<Effect>) {
    state.begin(index);
    let Proposed { version: _, at, command } = proposed;
    let mut change = Change {
        state,
        index,
        at,
        effects: Vec::new(),
        nodes: BTreeSet::new(),
        deployments: BTreeSet::new(),
        classes: BTreeSet::new(),
        quotas: BTreeSet::new(),
    };
    let done = change.run(command);
    change.finish();
    let Change { mut effects, nodes, deployments, classes, quotas, .. } = change;
    effects.extend(deployments.into_iter().map(Effect::DeploymentChanged));
    effects.extend(classes.into_iter().map(|class| Effect::Unblock { class, index }));
    effects.extend(quotas.into_iter().map(|quota| Effect::UnblockQuota { quota, index }));
    if !nodes.is_empty() {
        effects.push(Effect::AllocationsChanged { nodes });
    }
    let applied = match done {
        Ok(()) => Applied::At { index },
        Err(Refusal::Conflict { found }) => Applied::Conflict { index, found },
        Err(Refusal::Refused { status, message }) => Applied::Refused { index, status, message },
    };
    (applied, effects)
}

/// Why a command changed nothing.
enum Refusal {
    Conflict { found: u64 },
    Refused { status: u16, message: String },
}

impl Refusal {
    fn not_found(what: &str) -> Self {
        Self::Refused { status: 404, message: format!("{what} not found") }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::Refused { status: 500, message: message.into() }
    }
}

type Done = Result<(), Refusal>;

/// One command under way.
struct Change<'a> {
    state: &'a mut State,
    index: u64,
    at: UnixNanos,
    effects: Vec<Effect>,
    /// Nodes whose allocations the servers changed.
    nodes: BTreeSet<NodeId>,
    deployments: BTreeSet<DeploymentId>,
    /// Classes of nodes that may take more than before.
    classes: BTreeSet<String>,
    /// Quotas that may allow more than before.
    quotas: BTreeSet<String>,
}

impl Change<'_> {
    fn run(&mut self, command: Command) -> Done {
        match command {
            Command::JobRegister { job, submission, enforce, evaluation } => self.job_register(job, submission, enforce, evaluation),
            Command::JobDeregister { key, purge, no_shutdown_delay, evaluation } => {
                self.job_deregister(&key, purge, no_shutdown_delay, evaluation)
            }
            Command::JobStability { key, version, stable } => self.job_stability(&key, version, stable),
            Command::JobScale(step) => self.job_scale(*step),
            Command::JobTag { key, name, tag } => self.job_tag(&key, &name, tag),
            Command::JobsForget { keys } => self.jobs_forget(&keys),

            Command::NodeRegister { node } => self.node_register(*node),
            Command::NodeStatus { id, status, event, evaluations } => self.node_status(id, status, event, evaluations),
            Command::NodeDrain { id, drain, mark_eligible, last_drain, event, evaluations } => {
                self.node_drain(id, drain, mark_eligible, last_drain, event, evaluations)
            }
            Command::NodeEligibility { id, eligibility, event, evaluations } => self.node_eligibility(id, eligibility, event, evaluations),
            Command::NodesForget { ids, evaluations } => self.nodes_forget(&ids, evaluations),

            Command::EvaluationsUpsert { evaluations } => self.evaluations_upsert(evaluations),
            Command::EvaluationsForget { evaluations, allocations } => self.evaluations_forget(&evaluations, &allocations),

            Command::AllocationsReport { node_id, reports, evaluations } => self.allocations_report(node_id, reports, evaluations),
            Command::AllocationsTransition { transitions, evaluations } => self.allocations_transition(&transitions, evaluations),
            Command::PlanApply(plan) => self.plan_apply(*plan),

            Command::DeploymentStatus { update, job, evaluation } => self.deployment_status(&update, job, evaluation),
            Command::DeploymentPromote { id, groups, evaluation } => self.deployment_promote(id, groups.as_deref(), evaluation),
            Command::DeploymentAllocHealth { id, healthy, unhealthy, update, job, evaluation } => {
                self.deployment_alloc_health(id, &healthy, &unhealthy, update, job, evaluation)
            }
            Command::DeploymentsForget { ids } => self.deployments_forget(&ids),
            Command::TemplateTurns(step) => self.template_turns(*step),

            Command::ServicesUpsert { services } => self.services_upsert(services),
            Command::ServicesRemove { ids } => self.services_remove(&ids),
            Command::KvPut { key, value, flags, check } => self.kv_put(key, value, flags, check),
            Command::KvDelete { key, recurse, check } => self.kv_delete(&key, recurse, check),
            Command::SecretPut { path, version, check } => self.secret_put(path, *version, check),
            Command::SecretDelete { path } => self.secret_delete(&path),
            Command::VariablePut { namespace, path, sealed, check, holder, acquire } => {
                self.variable_put((namespace, path), sealed.map(|sealed| *sealed), check, &holder, acquire)
            }
            Command::VariableDelete { namespace, path, check, holder } => self.variable_delete((namespace, path), check, &holder),
            Command::VariableLock { namespace, path, id, release } => self.variable_lock((namespace, path), &id, release),
            Command::KeyUpsert { key } => self.key_upsert(*key),
            Command::KeyRemove { id } => self.key_remove(id),
            Command::CaUpsert { ca } => self.ca_upsert(*ca),
            Command::NamespacePut { namespace } => self.namespace_put(*namespace),
            Command::NamespaceDelete { name } => self.namespace_delete(&name),
            Command::NodePoolPut { pool } => self.node_pool_put(*pool),
            Command::NodePoolDelete { name } => self.node_pool_delete(&name),
            Command::VolumePut { volume } => self.volume_put(*volume),
            Command::VolumeDelete { namespace, id } => self.volume_delete(&namespace, id),
            Command::QuotaPut { quota } => self.quota_put(*quota),
            Command::QuotaDelete { name } => self.quota_delete(&name),
            Command::SchedulerConfig { config, check } => self.scheduler_config(*config, check),
            Command::AutopilotConfig { config, check } => self.autopilot_config(*config, check),
            Command::StateRestore { id, part, of, data } => self.state_restore(id, part, of, data),
        }
    }

    /// Brings the status of every job whose allocations or evaluations changed up to date.
    fn finish(&mut self) {
        for key in self.state.take_touched_jobs() {
            let Some(job) = self.state.job(&key) else { continue };
            let (was, is) = (job.status, self.state.job_counts(&key).status(job, job.status));
            if was == is {
                continue;
            }
            let mut job = (**job).clone();
            job.status = is;
            job.modify_index = self.index;
            let parent = job.parent_id.clone();
            self.state.put_job(Arc::new(job));
            self.move_child(&key, &parent, Some(was), Some(is));
            self.effects.push(Effect::JobChanged(key));
        }
        self.state.take_touched_jobs();
    }

    /// Keeps the count of a job's children by status.
    fn move_child(&mut self, child: &JobKey, parent: &str, from: Option<JobStatus>, to: Option<JobStatus>) {
        if !parent.is_empty() {
            let parent = JobKey::new(child.namespace.clone(), parent);
            self.state.change_summary(&parent, |summary| summary::move_child(&mut summary.children, from, to));
        }
    }

    /// Puts an evaluation and says who has to know.
    fn put_evaluation(&mut self, mut evaluation: Evaluation) {
        match self.state.evaluation(evaluation.id) {
            Some(known) => {
                evaluation.create_index = known.create_index;
                evaluation.create_time = known.create_time;
            }
            None => {
                evaluation.create_index = self.index;
                evaluation.create_time = self.at;
            }
        }
        evaluation.modify_index = self.index;
        evaluation.modify_time = self.at;
        let key = evaluation.job_key();
        if !evaluation.queued_allocations.is_empty() {
            self.state.change_summary(&key, |summary| {
                evaluation.queued_allocations.iter().for_each(|(group, queued)| summary::set_queued(summary, group, *queued));
            });
        }
        let evaluation = Arc::new(evaluation);
        self.state.put_evaluation(Arc::clone(&evaluation));
        match evaluation.status {
            EvalStatus::Pending => self.effects.push(Effect::Evaluate(evaluation)),
            EvalStatus::Blocked => {
                self.cancel_blocked(&key, &evaluation);
                self.effects.push(Effect::Block(evaluation));
            }
            EvalStatus::Complete if evaluation.failed_tg_allocs.is_empty() => {
                // Everything is placed: nothing waits for room any more.
                self.cancel_blocked(&key, &evaluation);
                self.effects.push(Effect::Settled(evaluation));
            }
            EvalStatus::Complete | EvalStatus::Failed | EvalStatus::Canceled => self.effects.push(Effect::Settled(evaluation)),
        }
    }

    fn cancel_blocked(&mut self, key: &JobKey, because_of: &Evaluation) {
        let blocked: Vec<_> = self.state.blocked_evaluations_of_job(key).filter(|other| other.id != because_of.id).cloned().collect();
        for other in blocked {
            let mut canceled = Evaluation::clone(&other);
            canceled.status = EvalStatus::Canceled;
            canceled.status_description = format!("evaluation {} took its place", because_of.id);
            canceled.modify_index = self.index;
            canceled.modify_time = self.at;
            let canceled = Arc::new(canceled);
            self.state.put_evaluation(Arc::clone(&canceled));
            self.effects.push(Effect::Settled(canceled));
        }
    }

    fn put_evaluations(&mut self, evaluations: impl IntoIterator<Item = Evaluation>) {
        evaluations.into_iter().for_each(|evaluation| self.put_evaluation(evaluation));
    }

    /// Puts an allocation that the servers changed: its client hears of it.
    fn put_server_change(&mut self, mut allocation: Allocation) {
        allocation.alloc_modify_index = self.index;
        self.nodes.insert(allocation.node_id);
        self.put_allocation(allocation);
    }

    /// Puts an allocation, and lets go of what an ended one held.
    fn put_allocation(&mut self, mut allocation: Allocation) {
        allocation.modify_index = self.index;
        allocation.modify_time = self.at;
        let id = allocation.id;
        let ended = allocation.is_client_terminal();
        let held = self.state.allocation(id).is_some_and(|old| old.holds_resources());
        let (node, namespace) = (allocation.node_id, allocation.namespace.clone());
        self.state.put_allocation(allocation);
        if ended && held {
            self.remove_services_of(id);
            self.unblock(node);
            self.unblock_quota_of(&namespace);
        }
    }

    /// Room came free on a node.
    fn unblock(&mut self, node: NodeId) {
        if let Some(node) = self.state.node(node).filter(|node| node.is_schedulable() && !self.classes.contains(&node.computed_class)) {
            self.classes.insert(node.computed_class.clone());
        }
    }
}

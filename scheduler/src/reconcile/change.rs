//! What a new version of a job means for an allocation that runs an older one.

use drover_model::{
    allocation::Allocation,
    job::{Job, Resources, Service, Task, TaskGroup},
    node::Node,
};

use crate::feasible::{Requirements, in_scope};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It only learns of the new version.
    InPlace,
    /// It has to be replaced.
    Destructive,
    /// It has failed, and what it ran is what the new version runs: it gets another chance without being a change.
    Renewal,
}

/// `node` is the allocation's; where it does not suit the new version the allocation has to leave.
pub(super) fn of(allocation: &Allocation, job: &Job, group: &TaskGroup, node: &Node) -> Change {
    let Some(old) = allocation.group() else { return Change::Destructive };
    if differs_at_run_time(&allocation.job, old, job, group) {
        return Change::Destructive;
    }
    if allocation.is_client_terminal() {
        return Change::Renewal;
    }
    let requirements = Requirements::new(job, group).numbered(allocation.index());
    let suits = in_scope(job, node) && requirements.refused_by_class(node).is_none() && requirements.refused_by_node(node).is_none();
    if suits { Change::InPlace } else { Change::Destructive }
}

/// Whether tasks that run would have to be started anew to see the difference. Counts, strategies, services with their tags and checks, constraints,
/// affinities and spreads are for servers and catalogues.
fn differs_at_run_time(old_job: &Job, old: &TaskGroup, new_job: &Job, new: &TaskGroup) -> bool {
    old_job.meta != new_job.meta
        || old_job.payload != new_job.payload
        || old_job.consul_namespace != new_job.consul_namespace
        || old_job.vault_namespace != new_job.vault_namespace
        || old.meta != new.meta
        || old.networks != new.networks
        || old.volumes != new.volumes
        || old.consul != new.consul
        || old.ephemeral_disk.size_mib != new.ephemeral_disk.size_mib
        || services_differ(&old.services, &new.services)
        || old.tasks.len() != new.tasks.len()
        || old.tasks.iter().any(|task| new.task(&task.name).is_none_or(|other| tasks_differ(task, other)))
}

/// A sidecar or gateway is a task of its own.
fn services_differ(old: &[Service], new: &[Service]) -> bool {
    let connected = |services: &[Service]| services.iter().filter(|service| service.connect.is_some()).cloned().collect::<Vec<_>>();
    let (old, new) = (connected(old), connected(new));
    old.len() != new.len()
        || old.iter().any(|service| !new.iter().any(|other| other.name == service.name && other.connect == service.connect))
}

fn tasks_differ(old: &Task, new: &Task) -> bool {
    old.driver != new.driver
        || old.user != new.user
        || old.config != new.config
        || old.env != new.env
        || old.meta != new.meta
        || old.artifacts != new.artifacts
        || old.templates != new.templates
        || old.vault != new.vault
        || old.consul != new.consul
        || old.identity != new.identity
        || old.identities != new.identities
        || old.secrets != new.secrets
        || old.dispatch_payload != new.dispatch_payload
        || old.volume_mounts != new.volume_mounts
        || old.csi_plugin_config != new.csi_plugin_config
        || old.lifecycle != new.lifecycle
        || old.kind != new.kind
        || old.log_config != new.log_config
        || old.schedule != new.schedule
        || services_differ(&old.services, &new.services)
        || resources_differ(&old.resources, &new.resources)
}

fn resources_differ(old: &Resources, new: &Resources) -> bool {
    old != new
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use drover_model::{
        job::{Check, Constraint, Operand, Template, UpdateStrategy},
        node::DriverInfo,
    };

    use super::*;

    fn job() -> Job {
        let task = Task { name: "t".to_owned(), driver: "exec".to_owned(), ..Task::default() };
        let group =
            TaskGroup { name: "g".into(), tasks: vec![task].into(), services: vec![Service::default()].into(), ..TaskGroup::default() };
        Job { id: "j".into(), task_groups: vec![group].into(), ..Job::default() }
    }

    #[test]
    fn what_tasks_see_is_destructive_and_the_rest_is_in_place() {
        let mut node = Node::default();
        node.drivers.insert("exec".to_owned(), DriverInfo { detected: true, healthy: true, ..DriverInfo::default() });
        let allocation = Allocation { job: Arc::new(job()), task_group: "g".into(), ..Allocation::default() };
        type Edit = fn(&mut Job);
        let constrain =
            |value: &str| Constraint { left: "${node.datacenter}".to_owned(), right: value.to_owned(), operand: Operand::Equal };
        let cases: Vec<(&str, Edit, Change)> = vec![
            ("nothing", |_| (), Change::InPlace),
            ("count", |job| job.task_groups[0].count = 9, Change::InPlace),
            ("update", |job| job.task_groups[0].update = Some(UpdateStrategy::default()), Change::InPlace),
            ("tags", |job| job.task_groups[0].services[0].tags.push("v2".to_owned()), Change::InPlace),
            ("checks", |job| job.task_groups[0].services[0].checks.push(Check::default()), Change::InPlace),
            ("priority", |job| job.priority = 70, Change::InPlace),
            ("spread", |job| job.spreads.push(Default::default()), Change::InPlace),
            ("restart", |job| job.task_groups[0].tasks[0].restart_policy.attempts = 9, Change::InPlace),
            ("kill timeout", |job| job.task_groups[0].tasks[0].kill_timeout *= 2, Change::InPlace),
            ("job meta", |job| _ = job.meta.insert("k".to_owned(), "v".to_owned()), Change::Destructive),
            ("env", |job| _ = job.task_groups[0].tasks[0].env.insert("k".to_owned(), "v".to_owned()), Change::Destructive),
            ("driver", |job| job.task_groups[0].tasks[0].driver = "raw_exec".to_owned(), Change::Destructive),
            ("memory", |job| job.task_groups[0].tasks[0].resources.memory_mib += 1, Change::Destructive),
            ("template", |job| job.task_groups[0].tasks[0].templates.push(Template::default()), Change::Destructive),
            ("network", |job| job.task_groups[0].networks.push(Default::default()), Change::Destructive),
            ("another task", |job| job.task_groups[0].tasks.push(Task::default()), Change::Destructive),
            ("datacenter", |job| job.datacenters = vec!["dc9".to_owned()].into(), Change::Destructive),
        ];
        for (name, edit, want) in cases {
            let mut new = job();
            edit(&mut new);
            let group = new.task_groups[0].clone();
            assert_eq!(of(&allocation, &new, &group, &node), want, "{name}");
        }
        for (value, want) in [("dc1", Change::InPlace), ("dc2", Change::Destructive)] {
            let new = Job { constraints: vec![constrain(value)].into(), ..job() };
            assert_eq!(of(&allocation, &new, &new.task_groups[0], &node), want, "constraint {value}");
        }
    }
}

//! From a job as submitted to the job that servers keep.

use super::{settle::settle, validate::validate, *};
use crate::{
    job::{self, Job, WorkloadIdentity},
    json::List,
};

pub use super::validate::ValidationErrors;

mod implied;

/// Fills in the defaults, checks everything, and gives the values their real types. Returns the job with what is odd about it but no error.
///
/// Whatever only servers decide (version, status, indexes, parent) starts afresh, whatever the submission says.
pub fn admit(mut spec: JobSpec) -> Result<(Job, Vec<String>), ValidationErrors> {
    spec.canonicalize();
    let findings = validate(&spec);
    if !findings.errors.errors.is_empty() {
        return Err(findings.errors);
    }
    prepare(&mut spec);
    let mut job =
        settle(spec).map_err(|misfit| ValidationErrors { errors: vec![format!("Job has a value that is out of range: {misfit}")] })?;
    complete(&mut job);
    implied::constraints(&mut job);
    Ok((job, findings.warnings))
}

/// The text of several warnings, as register and plan answer with it; empty without any.
pub fn warnings_text(warnings: &[String]) -> String {
    let count = warnings.len();
    if count == 0 {
        return String::new();
    }
    let items: Vec<String> = warnings.iter().map(|warning| format!("* {warning}")).collect();
    format!("{count} warning{}:\n\n{}", if count == 1 { "" } else { "s" }, items.join("\n"))
}

/// What is decided before the types change: names of services and checks, ports' networks.
fn prepare(spec: &mut JobSpec) {
    let job_name = spec.name.clone().unwrap_or_default();
    for group in &mut spec.task_groups.0 {
        let group_name = group.name.clone().unwrap_or_default();
        for network in &mut group.networks.0 {
            for port in network.reserved_ports.0.iter_mut().chain(&mut network.dynamic_ports.0) {
                if port.host_network.is_empty() {
                    port.host_network = "default".to_owned();
                }
            }
        }
        for service in &mut group.services.0 {
            name_service(service, &job_name, &group_name, "group");
        }
        for task in &mut group.tasks.0 {
            for service in &mut task.services.0 {
                name_service(service, &job_name, &group_name, &task.name);
            }
        }
    }
}

/// The names that `${JOB}`, `${TASKGROUP}`, `${TASK}` and `${BASE}` stand for in a service's name; checks get a name too.
fn name_service(service: &mut Service, job: &str, group: &str, task: &str) {
    let base = format!("{job}-{group}-{task}");
    for (variable, value) in [("${JOB}", job), ("${TASKGROUP}", group), ("${GROUP}", group), ("${TASK}", task), ("${BASE}", &base)] {
        if service.name.contains(variable) {
            service.name = service.name.replace(variable, value);
        }
    }
    let names: Vec<String> = service.checks.iter().map(|check| validate::check_name(service, check)).collect();
    for (check, name) in service.checks.0.iter_mut().zip(names) {
        check.name = name;
    }
}

/// What servers add to every job.
fn complete(job: &mut Job) {
    if job.datacenters.is_empty() {
        job.datacenters = List(vec!["*".to_owned()]);
    }
    if job.node_pool.is_empty() {
        "default".clone_into(&mut job.node_pool);
    }
    job.update = job::UpdateStrategy {
        health_check: job::HealthCheck::Unset,
        min_healthy_time: std::time::Duration::ZERO,
        healthy_deadline: std::time::Duration::ZERO,
        progress_deadline: std::time::Duration::ZERO,
        auto_revert: false,
        auto_promote: false,
        canary: 0,
        ..job.update.clone()
    };
    if job.kind.runs_to_completion() {
        job.update.max_parallel = 0;
        job.update.stagger = std::time::Duration::ZERO;
    }
    let namespace = job.namespace.to_string();
    for group in &mut job.task_groups.0 {
        for service in group.services.0.iter_mut() {
            complete_service(service, &namespace);
        }
        for task in &mut group.tasks.0 {
            for service in task.services.0.iter_mut() {
                complete_service(service, &namespace);
                if service.task_name.is_empty() {
                    service.task_name.clone_from(&task.name);
                }
            }
            complete_identity(task);
        }
    }
}

/// The servers' own catalogue has the job's namespaces; Consul's are Consul's.
fn complete_service(service: &mut job::Service, namespace: &str) {
    if service.provider == job::Provider::Nomad {
        namespace.clone_into(&mut service.namespace);
    }
}

/// Every task can say who it is.
fn complete_identity(task: &mut job::Task) {
    let standard = WorkloadIdentity::default_identity();
    match &mut task.identity {
        None => task.identity = Some(standard),
        Some(own) => {
            if own.name.is_empty() {
                own.name = standard.name;
            }
            if own.audience.is_empty() {
                own.audience = standard.audience;
            }
        }
    }
}

#[cfg(test)]
mod tests;

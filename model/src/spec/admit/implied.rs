//! Constraints that follow from what a job uses: a node without Vault cannot run a task that needs a Vault token, whoever forgot to say so.

use std::collections::BTreeSet;

use crate::job::{ChangeMode, Constraint, Job, Operand, Provider, Task, TaskGroup};

/// The oldest Vault and Consul that workloads can be given tokens of.
const VAULT_VERSION: &str = ">= 0.6.1";
const CONSUL_VERSION: &str = ">= 1.8.0";

/// Adds to each group what it implies, unless the job says so itself.
pub(super) fn constraints(job: &mut Job) {
    let outer = job.constraints.clone();
    for group in &mut job.task_groups.0 {
        for constraint in implied(group) {
            let known = outer.iter().chain(group.constraints.iter()).any(|known| *known == constraint);
            if !known {
                group.constraints.0.push(constraint);
            }
        }
    }
}

fn implied(group: &TaskGroup) -> Vec<Constraint> {
    let mut implied = Vec::new();
    let needs = |left: String, operand: Operand, right: &str| Constraint { left, operand, right: right.to_owned() };
    for cluster in group.tasks.iter().filter_map(|task| task.vault.as_ref()).map(|vault| vault.cluster.as_str()).collect::<BTreeSet<_>>() {
        implied.push(needs(attribute("vault", cluster, "version"), Operand::Semver, VAULT_VERSION));
    }
    let consul_services = group.all_services().map(|(_, service)| service).filter(|service| service.provider == Provider::Consul);
    let clusters: BTreeSet<&str> = consul_services
        .map(|service| service.cluster.as_str())
        .chain(group.consul.iter().map(|consul| consul.cluster.as_str()))
        .chain(group.tasks.iter().filter_map(|task| task.consul.as_ref()).map(|consul| consul.cluster.as_str()))
        .collect();
    for cluster in clusters {
        implied.push(needs(attribute("consul", cluster, "version"), Operand::Semver, CONSUL_VERSION));
    }
    if group.all_services().any(|(_, service)| service.provider == Provider::Nomad) {
        implied.push(needs("${attr.nomad.service_discovery}".to_owned(), Operand::Equal, "true"));
    }
    let signals: BTreeSet<String> = group.tasks.iter().flat_map(signals).collect();
    if !signals.is_empty() {
        let all: Vec<String> = signals.into_iter().collect();
        implied.push(needs("${attr.os.signals}".to_owned(), Operand::SetContains, &all.join(",")));
    }
    implied
}

/// `${attr.vault.version}`, or `${attr.vault.NAME.version}` for other clusters than the default one.
fn attribute(product: &str, cluster: &str, key: &str) -> String {
    match cluster {
        "" | "default" => format!("${{attr.{product}.{key}}}"),
        other => format!("${{attr.{product}.{other}.{key}}}"),
    }
}

/// The signals that a task may be sent.
fn signals(task: &Task) -> Vec<String> {
    let templates =
        task.templates.iter().filter(|template| template.change_mode == ChangeMode::Signal).map(|template| &template.change_signal);
    let vault = task.vault.iter().filter(|vault| vault.change_mode == ChangeMode::Signal).map(|vault| &vault.change_signal);
    let kill = Some(&task.kill_signal);
    templates.chain(vault).chain(kill).filter(|signal| !signal.is_empty()).map(|signal| signal.to_uppercase()).collect()
}

//! The steps from what a block says to the job's form, beyond a change of names.

use serde_json::json;

use super::*;

/// Takes a list out of an object.
fn take_list(object: &mut Object, key: &str) -> Vec<Json> {
    match object.remove(key) {
        Some(Json::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn default(object: &mut Object, key: &str, value: Json) {
    object.entry(key).or_insert(value);
}

/// A task beside the groups is a group of its own, and what job and groups say about Vault and secrets holds for their tasks.
pub(super) fn job(job: &mut Object) {
    let mut groups = take_list(job, "TaskGroups");
    groups.extend(take_list(job, "@tasks").into_iter().map(|task| json!({"Name": task["Name"], "Tasks": [task]})));
    let (vault, secrets) = (job.remove("@vault"), take_list(job, "@secrets"));
    for group in groups.iter_mut().filter_map(Json::as_object_mut) {
        inherit(group, vault.as_ref(), &secrets);
    }
    if !groups.is_empty() {
        job.insert("TaskGroups".to_owned(), groups.into());
    }
    for key in ["ID", "Name"] {
        if let Some(label) = job.get("@label").cloned() {
            default(job, key, label);
        }
    }
    job.remove("@label");
}

pub(super) fn group(group: &mut Object) {
    let (vault, secrets) = (group.remove("@vault"), take_list(group, "@secrets"));
    inherit(group, vault.as_ref(), &secrets);
}

fn inherit(group: &mut Object, vault: Option<&Json>, secrets: &[Json]) {
    let tasks = group.get_mut("Tasks").and_then(Json::as_array_mut).into_iter().flatten();
    for task in tasks.filter_map(Json::as_object_mut) {
        if let Some(vault) = vault {
            default(task, "Vault", vault.clone());
        }
        if secrets.is_empty() {
            continue;
        }
        let mut own = take_list(task, "Secrets");
        let inherited: Vec<Json> =
            secrets.iter().filter(|secret| own.iter().all(|known| known["Name"] != secret["Name"])).cloned().collect();
        own.extend(inherited);
        task.insert("Secrets".to_owned(), own.into());
    }
}

/// The unnamed identity is the task's own; the others are listed.
pub(super) fn task(task: &mut Object) {
    let mut named = Vec::new();
    for identity in take_list(task, "@identities") {
        match identity.get("Name").and_then(Json::as_str) {
            None | Some("" | "default") => {
                task.insert("Identity".to_owned(), identity);
            }
            Some(_) => named.push(identity),
        }
    }
    if !named.is_empty() {
        task.insert("Identities".to_owned(), named.into());
    }
}

/// `version = ">= 1"` is short for an operator and a value.
pub(super) fn constraint(constraint: &mut Object) {
    for operator in ["version", "semver", "regexp", "set_contains", "set_contains_any", "set_contains_all", "distinct_hosts"] {
        if let Some(value) = constraint.remove(&format!("@{operator}")) {
            constraint.insert("Operand".to_owned(), operator.into());
            constraint.insert("RTarget".to_owned(), value);
        }
    }
    if let Some(property) = constraint.remove("@distinct_property") {
        constraint.insert("Operand".to_owned(), "distinct_property".into());
        constraint.insert("LTarget".to_owned(), property);
    }
    constraint.remove(IGNORED);
    default(constraint, "Operand", "=".into());
}

pub(super) fn periodic(periodic: &mut Object) {
    default(periodic, "SpecType", "cron".into());
}

/// Ports with a number of their own are reserved, the others are chosen.
pub(super) fn network(network: &mut Object) {
    let ports = take_list(network, "@ports");
    let (reserved, dynamic): (Vec<Json>, Vec<Json>) =
        ports.into_iter().partition(|port| port.get("Value").and_then(Json::as_i64).unwrap_or(0) > 0);
    network.insert("ReservedPorts".to_owned(), reserved.into());
    network.insert("DynamicPorts".to_owned(), dynamic.into());
}

pub(super) fn group_scaling(scaling: &mut Object) {
    default(scaling, "Type", "horizontal".into());
}

pub(super) fn task_scaling(scaling: &mut Object) {
    let resource = scaling.remove("@resource");
    if let Some(resource) = resource.as_ref().and_then(Json::as_str) {
        default(scaling, "Type", format!("vertical_{resource}").into());
    }
}

pub(super) fn template(template: &mut Object) {
    default(template, "ChangeMode", "restart".into());
    default(template, "Perms", "0644".into());
    default(template, "Splay", 5_000_000_000_i64.into());
    default(template, "ErrMissingKey", false.into());
}

pub(super) fn vault(vault: &mut Object) {
    default(vault, "Env", true.into());
    default(vault, "DisableFile", false.into());
    default(vault, "ChangeMode", "restart".into());
}

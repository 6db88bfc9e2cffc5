//! Task groups.

use std::collections::BTreeMap;

use super::*;
use crate::volume::{AccessMode, AttachmentMode};

const MIN_DISK_MB: i64 = 10;
const MAX_PORT: i64 = 65_535;

pub(super) fn validate(group: &TaskGroup, job: &JobSpec) -> Findings {
    let mut findings = Findings::default();
    let errors = &mut findings.errors;
    let kind = job.kind.as_deref().unwrap_or_default();
    let count = group.count.unwrap_or(1);
    if count < 0 {
        errors.push("Task group count can't be negative");
    } else if count > MAX_COUNT {
        errors.push(format!("Task group count must be at most {MAX_COUNT}; got {count}"));
    }
    if group.tasks.is_empty() {
        errors.push("Missing tasks for task group");
    }
    times(group, kind, errors);
    constraint::constraints(&group.constraints, errors);
    policies(group, kind, errors);
    let disk = group.ephemeral_disk.clone().unwrap_or_default();
    let size = disk.size_mb.unwrap_or(0);
    if !(MIN_DISK_MB..=MAX_NUMBER).contains(&size) {
        errors.push(format!("minimum DiskMB value is {MIN_DISK_MB}; got {size}"));
    }
    tasks_together(group, errors);
    errors.nest_as("Task group network", networks(group));
    service::of_group(group, &mut findings);
    volumes(group, &mut findings);
    let errors = &mut findings.errors;
    scaling(group, errors);
    for task in &group.tasks {
        let inner = task::validate(task, group, kind);
        errors.nest_as(format_args!("Task {}", task.name), inner);
    }
    findings.warnings.extend(warnings(group, job));
    findings
}

fn times(group: &TaskGroup, kind: &str, errors: &mut ValidationErrors) {
    for (name, value) in [
        ("shutdown_delay", group.shutdown_delay),
        ("max_run_duration", group.max_run_duration),
        ("stop_after_client_disconnect", group.stop_after_client_disconnect),
        ("max_client_disconnect", group.max_client_disconnect),
    ] {
        not_negative(name, value, errors);
    }
    if group.max_run_duration.is_some() && !matches!(kind, "batch" | "sysbatch") {
        errors.push("max_run_duration can only be set for batch and sysbatch jobs");
    }
    if group.stop_after_client_disconnect.is_some() && group.max_client_disconnect.is_some() {
        errors.push("max_client_disconnect and stop_after_client_disconnect exclude each other");
    }
    if group.disconnect.is_some() && (group.stop_after_client_disconnect.is_some() || group.max_client_disconnect.is_some()) {
        errors.push("a disconnect block replaces max_client_disconnect and stop_after_client_disconnect: set only one of them");
    }
}

fn policies(group: &TaskGroup, kind: &str, errors: &mut ValidationErrors) {
    match kind {
        "system" if !group.affinities.is_empty() => errors.push("System jobs may not have an affinity block"),
        _ => constraint::affinities(&group.affinities, errors),
    }
    match kind {
        "system" | "sysbatch" if !group.spreads.is_empty() => errors.push("System jobs may not have a spread block"),
        _ => constraint::spreads(&group.spreads, errors),
    }
    if let Some(policy) = &group.restart {
        errors.append(policy::restart(policy));
    }
    if let Some(policy) = &group.reschedule {
        if matches!(kind, "system" | "sysbatch") {
            errors.push("System or sysbatch jobs should not have a reschedule policy");
        } else {
            errors.append(policy::reschedule(policy));
        }
    }
    if let Some(update) = &group.update {
        if matches!(kind, "batch" | "sysbatch") {
            errors.push(format!("Job type {kind:?} does not allow update block"));
        } else {
            errors.append(policy::update(update));
        }
    }
    if let Some(migrate) = &group.migrate {
        if kind == "service" {
            errors.append(policy::migrate(migrate));
        } else {
            errors.push(format!("Job type {kind:?} does not allow migrate block"));
        }
    }
    if let Some(disconnect) = &group.disconnect {
        errors.append(policy::disconnect(disconnect, kind));
    }
}

/// Names and roles of the tasks among each other.
fn tasks_together(group: &TaskGroup, errors: &mut ValidationErrors) {
    let mut seen = BTreeMap::new();
    for (at, task) in group.tasks.iter().enumerate() {
        if task.name.is_empty() {
            errors.push(format!("Task {} missing name", at + 1));
        } else if let Some(first) = seen.insert(&task.name, at + 1) {
            errors.push(format!("Task {} redefines '{}' from task {first}", at + 1, task.name));
        }
    }
    if group.tasks.iter().filter(|task| task.leader).count() > 1 {
        errors.push("Only one task may be marked as leader");
    }
    if !group.tasks.is_empty() && group.tasks.iter().all(|task| task.lifecycle.is_some()) {
        errors.push(format!("Task group {} must have at least one main task", group.name.as_deref().unwrap_or_default()));
    }
}

fn networks(group: &TaskGroup) -> ValidationErrors {
    let mut errors = ValidationErrors::default();
    if group.networks.len() > 1 {
        errors.push("only one network block is possible per group");
    }
    let mut labels = BTreeSet::new();
    let mut statics: BTreeMap<(&str, i64), &str> = BTreeMap::new();
    for network in &group.networks {
        if !matches!(network.mode.as_str(), "" | "host" | "bridge" | "none") && !network.mode.starts_with("cni/") {
            errors.push(format!("unknown network mode {:?}", network.mode));
        }
        for port in network.reserved_ports.iter().chain(network.dynamic_ports.iter()) {
            if port.label.is_empty() {
                errors.push("a port has no label");
            } else if !labels.insert(&port.label) {
                errors.push(format!("Port label {} already in use", port.label));
            }
            if port.to < -1 || port.to > MAX_PORT {
                errors.push(format!("Port {:?} cannot be mapped to {}", port.label, port.to));
            }
            if port.value < 0 || port.value > MAX_PORT {
                errors.push(format!("Port {} cannot be greater than {MAX_PORT} or negative", port.value));
            }
        }
        for port in network.reserved_ports.iter().filter(|port| !port.ignore_collision) {
            if let Some(first) = statics.insert((port.host_network.as_str(), port.value), &port.label) {
                errors.push(format!("Static port {} already reserved by taskgroup network:{first}", port.value));
            }
        }
    }
    errors
}

fn volumes(group: &TaskGroup, findings: &mut Findings) {
    for (name, volume) in &group.volumes {
        match volume.kind.as_str() {
            "host" | "csi" => {
                if volume.source.is_empty() {
                    findings.errors.push(format!("Volume {name} validation failed: volume has an empty source"));
                }
                if volume.kind == "host" && AccessMode::parse(&volume.access_mode).is_none() {
                    let mode = &volume.access_mode;
                    findings.errors.push(format!("Volume {name} validation failed: volumes of nodes have no access_mode {mode:?}"));
                }
                if volume.kind == "host" && AttachmentMode::parse(&volume.attachment_mode).is_none() {
                    let mode = &volume.attachment_mode;
                    findings.errors.push(format!("Volume {name} validation failed: volumes of nodes have no attachment_mode {mode:?}"));
                }
                if volume.sticky && volume.per_alloc {
                    findings.errors.push(format!("Volume {name} validation failed: sticky and per_alloc exclude each other"));
                }
            }
            other => findings.warnings.push(format!("volume {name:?} has the unknown type {other:?}: no node will offer it")),
        }
    }
}

fn scaling(group: &TaskGroup, errors: &mut ValidationErrors) {
    let Some(scaling) = &group.scaling else { return };
    let (min, max, count) = (scaling.min.unwrap_or(0), scaling.max, group.count.unwrap_or(1));
    let Some(max) = max else {
        errors.push("Scaling policy invalid: maximum count must be specified");
        return;
    };
    if !(0..=MAX_COUNT).contains(&min) || max > MAX_COUNT {
        errors.push(format!("Scaling policy invalid: minimum and maximum must be between 0 and {MAX_COUNT}"));
    }
    if max < min {
        errors.push("Scaling policy invalid: maximum count must not be less than minimum count");
    }
    if !(min..=max).contains(&count) {
        errors.push(format!("Scaling policy invalid: task group count {count} must be between minimum {min} and maximum {max}"));
    }
}

fn warnings(group: &TaskGroup, job: &JobSpec) -> Vec<String> {
    let name = group.name.as_deref().unwrap_or_default();
    let mut warnings = Vec::new();
    let services = !group.services.is_empty() || group.tasks.iter().any(|task| !task.services.is_empty());
    let delayed = group.shutdown_delay.is_some_and(|delay| delay.0 > 0) || group.tasks.iter().any(|task| task.shutdown_delay.0 > 0);
    if services && !delayed {
        warnings.push(format!("group {name:?} defines services, but neither the group nor any of its tasks have shutdown_delay set"));
    }
    if let Some(update) = &group.update {
        let (count, parallel) = (group.count.unwrap_or(1), update.max_parallel.unwrap_or(1));
        if job.update.as_ref().is_none_or(|outer| outer.max_parallel != update.max_parallel) && parallel > count && count > 0 {
            warnings.push(format!("group {name:?} updates {parallel} allocations at once but has only {count}: all are replaced together"));
        }
    }
    for task in &group.tasks {
        let Some(resources) = &task.resources else { continue };
        let close = resources.numa.as_ref().filter(|numa| matches!(numa.affinity.as_str(), "prefer" | "require"));
        if close.is_some() && resources.cores.unwrap_or(0) == 0 {
            warnings.push(format!("task {:?} has a numa block, which has no effect unless resources reserve cores", task.name));
        }
    }
    for network in &group.networks {
        if network.mbits.is_some() {
            warnings.push(format!("group {name:?} sets mbits, which has no effect"));
        }
    }
    warnings
}

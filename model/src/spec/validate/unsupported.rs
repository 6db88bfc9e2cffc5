//! What job files may say that this program does not do yet. Refused in so many words: a job that runs without a part of what it asks for would be worse.

use super::*;

pub(super) fn job(job: &JobSpec, errors: &mut ValidationErrors) {
    if job.multiregion.is_some() {
        errors.push("multiregion is not supported yet: submit the job once per region");
    }
    for group in &job.task_groups {
        let name = group.name.as_deref().unwrap_or_default();
        for service in group.services.iter().chain(group.tasks.iter().flat_map(|task| task.services.iter())) {
            if service.connect.is_some() {
                errors.push(format!("service {:?} of group {name:?} uses connect, which is not supported yet", service.name));
            }
        }
        for (volume, request) in &group.volumes {
            if request.kind == "csi" {
                errors.push(format!("volume {volume:?} of group {name:?} is a CSI volume; only host volumes are supported yet"));
            }
        }
        for network in &group.networks {
            if network.cni.is_some() {
                errors.push(format!("the network of group {name:?} has cni arguments, which are not supported yet"));
            }
        }
    }
}

pub(super) fn task(task: &Task, errors: &mut ValidationErrors) {
    if task.csi_plugin.is_some() {
        errors.push("csi_plugin is not supported yet");
    }
    if task.schedule.is_some() {
        errors.push("schedule is not supported yet: use a periodic job");
    }
    if !task.secrets.is_empty() {
        errors.push("secret blocks are not supported yet: read secrets in a template");
    }
    let Some(resources) = &task.resources else { return };
    if !resources.networks.is_empty() {
        errors.push("a network within resources is not supported: move it to the group");
    }
}

//! Reading jobs and what belongs to them.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{
    allocation::ClientStatus,
    deployment::Deployment,
    evaluation::Evaluation,
    ids::{JobKey, Name},
    job::{Job, JobSummary},
    json::List,
    rpc::{
        Error, ReadOptions,
        job::{
            JobActions, JobAllocations, JobDeployments, JobEvaluations, JobGet, JobLatestDeployment, JobList, JobScaleGet, JobServices,
            JobStatuses, JobSubmissionGet, JobSummaryGet, JobVersionList, JobVersions, SubmissionDetail,
        },
    },
    service::ServiceRegistration,
    view::{
        AllocationBrief, AllocationStub, BriefHealth, DeploymentBrief, GroupScaleStatus, JobAction, JobListStub, JobOverview,
        JobScaleStatus,
    },
};

use super::{
    Found,
    page::{ByName, in_namespace, page},
};
use crate::state::State;

type Reply<T> = Result<Found<T>, Error>;

fn key(options: &ReadOptions, id: &Name) -> JobKey {
    JobKey { namespace: options.namespace.clone(), id: id.clone() }
}

pub(super) fn get(state: &State, message: &JobGet) -> Reply<Option<Arc<Job>>> {
    let job = state.job(&key(&message.options, &message.id)).cloned();
    let index = job.as_ref().map(|job| job.modify_index);
    Ok(Found::at(job, index))
}

fn rows<'a>(state: &'a State, options: &'a ReadOptions) -> Vec<(ByName, &'a Arc<Job>)> {
    let wanted: Vec<&Arc<Job>> = if options.all_namespaces() {
        state.jobs().filter(|job| job.id.starts_with(&options.prefix)).collect()
    } else {
        state.jobs_with_prefix(&options.namespace, &options.prefix).collect()
    };
    wanted.into_iter().map(|job| (ByName(job.namespace.clone(), job.id.clone()), job)).collect()
}

pub(super) fn list(state: &State, message: &JobList) -> Reply<Vec<JobListStub>> {
    let stub = |job: &&Arc<Job>| {
        let summary = state.summary(&job.key()).map(|summary| JobSummary::clone(summary));
        JobListStub::new(job, summary, message.meta)
    };
    page(rows(state, &message.options), &message.options, stub)
}

pub(super) fn statuses(state: &State, message: &JobStatuses) -> Reply<Vec<JobOverview>> {
    let mut rows = rows(state, &message.options);
    if message.jobs.is_empty() {
        rows.retain(|(_, job)| message.include_children || job.parent_id.is_empty());
    } else {
        rows.retain(|(_, job)| message.jobs.contains(&job.key()));
    }
    page(rows, &message.options, |job| overview(state, job))
}

fn overview(state: &State, job: &Job) -> JobOverview {
    let key = job.key();
    let brief = |allocation: &Arc<drover_model::allocation::Allocation>| AllocationBrief {
        id: allocation.id,
        group: allocation.task_group.clone(),
        client_status: allocation.client_status,
        node_id: allocation.node_id,
        deployment_status: BriefHealth { canary: allocation.is_canary(), healthy: allocation.is_healthy() },
        job_version: allocation.job.version,
        followup_eval_id: allocation.followup_eval_id,
        has_paused_task: false,
    };
    let children: Vec<String> = state.job_children(&key).map(|child| child.status.as_str().to_owned()).collect();
    JobOverview {
        id: job.id.clone(),
        name: job.name.clone(),
        namespace: job.namespace.clone(),
        parent_id: job.parent_id.clone(),
        kind: job.kind,
        node_pool: job.node_pool.clone(),
        datacenters: job.datacenters.clone(),
        priority: job.priority,
        version: job.version,
        modify_index: job.modify_index,
        submit_time: job.submit_time,
        status: job.status,
        stop: job.stop,
        is_pack: job.meta.contains_key("pack.name"),
        group_count_sum: job.task_groups.iter().map(|group| group.count).sum(),
        allocs: List(state.allocations_of_job(&key).map(brief).collect()),
        child_statuses: List(children),
        latest_deployment: state.latest_deployment(&key).map(|deployment| DeploymentBrief::from(&**deployment)),
    }
}

pub(super) fn versions(state: &State, message: &JobVersions) -> Reply<JobVersionList> {
    let key = key(&message.options, &message.id);
    let versions = state.job_versions(&key);
    let has_tag = |job: &&Arc<Job>| job.version_tag.as_ref().is_some_and(|tag| tag.name == message.diff_tag);
    let tagged = versions.iter().find(has_tag);
    let mut diffs = Vec::new();
    if message.diffs {
        for (position, job) in versions.iter().enumerate() {
            let other = match message.diff_version {
                Some(version) => Some(
                    versions
                        .iter()
                        .find(|other| other.version == version)
                        .ok_or_else(|| Error::internal(format!("version {version} of job {key} is not known")))?,
                ),
                None if !message.diff_tag.is_empty() => {
                    Some(tagged.ok_or_else(|| Error::internal(format!("job {key} has no version with the tag {:?}", message.diff_tag)))?)
                }
                None => versions.get(position + 1),
            };
            // The oldest one has nothing before it.
            if let Some(other) = other {
                diffs.push(super::plan::diff(Some(&**other), job)?);
            }
        }
    }
    let index = versions.iter().map(|job| job.modify_index).max();
    Ok(Found::at(JobVersionList { versions: List(versions), diffs: List(diffs) }, index))
}

pub(super) fn allocations(state: &State, message: &JobAllocations) -> Reply<Vec<AllocationStub>> {
    let key = key(&message.options, &message.id);
    let created = state.job(&key).map(|job| job.create_index);
    let of_this =
        state.allocations_of_job(&key).filter(|allocation| message.all || created.is_none_or(|at| allocation.job.create_index == at));
    super::allocations::stubs(of_this, &message.options, false, true)
}

pub(super) fn evaluations(state: &State, message: &JobEvaluations) -> Reply<Vec<Arc<Evaluation>>> {
    let key = key(&message.options, &message.id);
    super::evaluations::rows(state.evaluations_of_job(&key), &message.options)
}

pub(super) fn deployments(state: &State, message: &JobDeployments) -> Reply<Vec<Arc<Deployment>>> {
    let key = key(&message.options, &message.id);
    let created = state.job(&key).map(|job| job.create_index);
    let of_this = state.deployments_of_job(&key).filter(|row| message.all || created.is_none_or(|at| row.job_create_index == at));
    super::deployments::rows(of_this, &message.options)
}

pub(super) fn latest_deployment(state: &State, message: &JobLatestDeployment) -> Reply<Option<Arc<Deployment>>> {
    let key = key(&message.options, &message.id);
    let created = state.job(&key).map(|job| job.create_index);
    let latest = state.latest_deployment(&key).filter(|row| created.is_none_or(|at| row.job_create_index == at));
    Ok(Found::new(latest.cloned()))
}

pub(super) fn summary(state: &State, message: &JobSummaryGet) -> Reply<Option<JobSummary>> {
    let key = key(&message.options, &message.id);
    Ok(Found::new(state.summary(&key).map(|summary| JobSummary::clone(summary))))
}

pub(super) fn submission(state: &State, message: &JobSubmissionGet) -> Reply<Option<SubmissionDetail>> {
    let key = key(&message.options, &message.id);
    let job = state.job_version(&key, message.version);
    let detail = state.submission(&key, message.version).map(|submission| SubmissionDetail {
        source: submission.source.clone(),
        format: submission.format.clone(),
        variable_flags: submission.variable_flags.clone(),
        variables: submission.variables.clone(),
        job_id: key.id.clone(),
        namespace: key.namespace.clone(),
        job_modify_index: job.map_or(0, |job| job.job_modify_index),
        version: message.version,
    });
    Ok(Found::new(detail))
}

pub(super) fn services(state: &State, message: &JobServices) -> Reply<Vec<Arc<ServiceRegistration>>> {
    let of_this = |row: &&Arc<ServiceRegistration>| row.job_id == message.id && in_namespace(&message.options, &row.namespace);
    Ok(Found::new(state.services().filter(of_this).cloned().collect()))
}

pub(super) fn actions(state: &State, message: &JobActions) -> Reply<Option<Vec<JobAction>>> {
    let Some(job) = state.job(&key(&message.options, &message.id)) else { return Ok(Found::new(None)) };
    let mut actions = Vec::new();
    for group in &job.task_groups {
        for task in &group.tasks {
            actions.extend(task.actions.iter().map(|action| JobAction {
                name: action.name.clone(),
                task_name: task.name.clone(),
                task_group_name: group.name.clone(),
            }));
        }
    }
    Ok(Found::at(Some(actions), Some(job.modify_index)))
}

pub(super) fn scale_status(state: &State, message: &JobScaleGet) -> Reply<Option<JobScaleStatus>> {
    let key = key(&message.options, &message.id);
    let Some(job) = state.job(&key) else { return Ok(Found::new(None)) };
    let mut groups: BTreeMap<Name, GroupScaleStatus> = BTreeMap::new();
    for group in &job.task_groups {
        let events = state.scaling(&key).and_then(|scaling| scaling.groups.get(&group.name)).cloned().unwrap_or_default();
        groups.insert(group.name.clone(), GroupScaleStatus { desired: group.count, events, ..GroupScaleStatus::default() });
    }
    for allocation in state.allocations_of_job(&key).filter(|allocation| !allocation.is_terminal()) {
        let Some(group) = groups.get_mut(&allocation.task_group) else { continue };
        group.placed += 1;
        group.running += u32::from(allocation.client_status == ClientStatus::Running);
        match allocation.is_healthy() {
            Some(true) => group.healthy += 1,
            Some(false) => group.unhealthy += 1,
            None => {}
        }
    }
    let status = JobScaleStatus {
        job_id: job.id.clone(),
        namespace: job.namespace.clone(),
        job_create_index: job.create_index,
        job_modify_index: job.job_modify_index,
        job_stopped: job.stop,
        task_groups: groups,
    };
    Ok(Found::new(Some(status)))
}

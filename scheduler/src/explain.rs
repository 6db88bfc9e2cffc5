//! "Why is it pending?", in one sentence for each group.

use std::{cmp::Reverse, collections::BTreeMap};

use drover_model::{
    ids::Name,
    job::{Job, TaskGroup},
    quota::QuotaUse,
    resources::Amounts,
};

use crate::{
    Member, Snapshot,
    feasible::{Requirements, in_scope, reason},
    fit::Misfit,
    place::{
        ask::Ask,
        fleet::{Fleet, Row},
        search::{Context, Live, Search, refusal},
        ties::Ties,
    },
};

/// What stands in the way of one more allocation of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub group: Name,
    /// On how many nodes one more would fit at this moment.
    pub fits: usize,
    pub sentence: String,
}

/// For each group of a job: on how many nodes one more allocation fits, and what the others lack.
pub fn why(snapshot: &dyn Snapshot, job: &Job) -> Vec<Reason> {
    let fleet = Fleet::new(snapshot, job);
    let mut live = Live::new();
    for allocation in snapshot.job_allocations(&job.key()).iter().filter(|allocation| !allocation.is_terminal()) {
        live.entry(allocation.task_group.clone()).or_default().entry(allocation.node_id).or_default().all += 1;
    }
    job.task_groups.iter().map(|group| explain(snapshot, &fleet, &live, job, group)).collect()
}

/// Nodes with one reason, and the one of them that misses by least.
#[derive(Default)]
struct Bucket {
    nodes: usize,
    closest: Option<(u64, Row)>,
}

fn explain(snapshot: &dyn Snapshot, fleet: &Fleet<'_>, live: &Live, job: &Job, group: &TaskGroup) -> Reason {
    let config = snapshot.scheduler_config(&job.node_pool);
    let (ask, requirements) = (Ask::new(group, config.memory_oversubscription), Requirements::new(job, group));
    let context = Context { snapshot, fleet, live, algorithm: config.algorithm, ties: Ties::default(), newest: true };
    let search = Search::new(context, job, group, &ask, &requirements);
    let quota = snapshot.quota(&job.namespace);
    let beyond = quota.as_ref().and_then(|quota| Some((&quota.name, quota.shortage(&ask.least_quota_use(), &QuotaUse::default())?)));
    let mut fits = 0;
    let mut filtered: BTreeMap<String, usize> = BTreeMap::new();
    let mut lacking: BTreeMap<Misfit, Bucket> = BTreeMap::new();
    for row in 0..fleet.len() {
        if let Some(why) = obstacle(&search, fleet, row) {
            *filtered.entry(why).or_default() += 1;
        } else if let Some(misfit) = shortage(&search, fleet, row) {
            let bucket = lacking.entry(misfit.clone()).or_default();
            bucket.nodes += 1;
            let free = amount(&misfit, &fleet.free(row)).unwrap_or(0);
            if bucket.closest.is_none_or(|(most, _)| free > most) {
                bucket.closest = Some((free, row));
            }
        } else {
            fits += 1;
        }
    }
    let mut parts: Vec<(usize, String)> = filtered.into_iter().map(|(why, nodes)| (nodes, format!("{nodes} filtered by {why}"))).collect();
    parts.extend(lacking.iter().map(|(misfit, bucket)| (bucket.nodes, lacks(misfit, bucket, ask.amounts(), fleet))));
    parts.sort_by_key(|(nodes, _)| Reverse(*nodes));
    let parts: Vec<_> = parts.into_iter().map(|(_, text)| text).chain(elsewhere(snapshot, job)).collect();
    let nodes = fleet.len();
    let mut sentence = format!("fits on {fits} of {nodes} nodes");
    if !parts.is_empty() {
        sentence.push_str(": ");
        sentence.push_str(&parts.join(", "));
    }
    if let Some((quota, shortage)) = beyond {
        // Whatever the nodes have.
        return Reason {
            group: group.name.clone(),
            fits: 0,
            sentence: format!("quota {quota:?} is reached: {shortage}; without it, {sentence}"),
        };
    }
    Reason { group: group.name.clone(), fits, sentence }
}

fn obstacle(search: &Search<'_>, fleet: &Fleet<'_>, row: Row) -> Option<String> {
    if !search.is_feasible(row) {
        return Some(refusal(search, fleet.node(row)));
    }
    if search.shares_host(row) {
        return Some(reason::DISTINCT_HOSTS.to_owned());
    }
    search.violates(row)
}

fn shortage(search: &Search<'_>, fleet: &Fleet<'_>, row: Row) -> Option<Misfit> {
    search.misfit(fleet, row).or_else(|| search.ask.assign(fleet.node(row), fleet.exclusive(row), 0).err())
}

fn amount(misfit: &Misfit, amounts: &Amounts) -> Option<u64> {
    match misfit {
        Misfit::Cpu => Some(amounts.cpu_mhz),
        Misfit::Memory => Some(amounts.memory_mib),
        Misfit::Disk => Some(amounts.disk_mib),
        _ => None,
    }
}

fn lacks(misfit: &Misfit, bucket: &Bucket, asked: &Amounts, fleet: &Fleet<'_>) -> String {
    let (nodes, verb) = (bucket.nodes, if bucket.nodes == 1 { "lacks" } else { "lack" });
    let what = match misfit {
        Misfit::Cpu => "MHz",
        Misfit::Memory => "MiB",
        Misfit::Disk => "MiB of disk",
        Misfit::ReservedPort { port, .. } => return format!("{nodes} {verb} port {port}"),
        other => return format!("{nodes} exhausted: {other}"),
    };
    let wanted = amount(misfit, asked).unwrap_or(0);
    match bucket.closest {
        Some((free, row)) => format!("{nodes} {verb} {wanted} {what} (closest: {}, {free} {what} free)", fleet.node(row).name),
        None => format!("{nodes} {verb} {wanted} {what}"),
    }
}

/// Nodes that were not even looked at.
fn elsewhere(snapshot: &dyn Snapshot, job: &Job) -> Vec<String> {
    let (mut closed, mut outside) = (0_usize, 0_usize);
    for Member { node, .. } in snapshot.nodes() {
        if !in_scope(job, node) {
            outside += 1;
        } else if !node.is_schedulable() {
            closed += 1;
        }
    }
    let counted = [(closed, "more not ready or not eligible"), (outside, "more outside the job's datacenters or node pool")];
    counted.into_iter().filter(|(nodes, _)| *nodes > 0).map(|(nodes, what)| format!("{nodes} {what}")).collect()
}

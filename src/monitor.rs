//! Following what a change sets off: its evaluation, then its deployment.

use std::{collections::BTreeMap, io::IsTerminal, time::Duration};

use anyhow::Result;
use drover_api::Client;
use drover_model::{
    allocation::AllocMetric,
    deployment::{Deployment, DeploymentStatus},
    evaluation::{EvalStatus, Evaluation},
    ids::Name,
};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{exit::Exit, output};

/// What every command has that sets off an evaluation.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct Follow {
    /// Return at once, without following what comes of it
    #[arg(long)]
    detach: bool,
    /// Print whole ids
    #[arg(long)]
    verbose: bool,
}

impl Follow {
    /// Follows an evaluation to its end, then the deployment it belongs to. Where that is not wanted, or there is nothing to evaluate, prints `instead`.
    pub(crate) async fn evaluation(self, client: &Client, id: &str, instead: &str) -> Result<Exit> {
        if self.leaves(id, instead) {
            return Ok(Exit::Ok);
        }
        evaluation(client, id, self.verbose).await
    }

    /// Follows the evaluation of a job that was stopped. The deployment that this cut off, if any, is no failure of the stop.
    pub(crate) async fn stop(self, client: &Client, id: &str, instead: &str) -> Result<Exit> {
        if self.leaves(id, instead) {
            return Ok(Exit::Ok);
        }
        println!("==> Monitoring evaluation {:?}", output::id(id, self.verbose));
        let evaluation = settled(client, id).await?;
        println!("    Evaluation status is {}", evaluation.status.as_str());
        Ok(if evaluation.status == EvalStatus::Complete { Exit::Ok } else { Exit::Failed })
    }

    fn leaves(self, id: &str, instead: &str) -> bool {
        let leaves = self.detach || id.is_empty();
        if leaves && !instead.is_empty() {
            println!("{instead}");
        }
        leaves
    }
}

/// `DONE`, and the evaluation's id below it where there is one.
pub(crate) fn done(what: &str, id: &str) -> String {
    if id.is_empty() { what.to_owned() } else { format!("{what}\nEvaluation ID: {id}") }
}

/// How long one blocking query waits before it is asked again.
pub(crate) const WAIT: Duration = Duration::from_secs(30);

/// Prints progress: a line that is redrawn on a terminal, a line for each change elsewhere.
#[derive(Debug)]
struct Progress {
    bar: Option<ProgressBar>,
    last: String,
}

impl Progress {
    fn start() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("    {spinner} {msg} ({elapsed})").unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style);
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, last: String::new() }
    }

    fn say(&mut self, line: String) {
        if line == self.last {
            return;
        }
        match &self.bar {
            Some(bar) => bar.set_message(line.clone()),
            None => println!("    {line}"),
        }
        self.last = line;
    }

    fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
            println!("    {}", self.last);
        }
    }
}

/// Follows an evaluation to its end, then the deployment it belongs to.
pub(crate) async fn evaluation(client: &Client, id: &str, verbose: bool) -> Result<Exit> {
    println!("==> Monitoring evaluation {:?}", output::id(id, verbose));
    let evaluation = settled(client, id).await?;
    let placed = client.evaluation_allocations(id).await?.data;
    for allocation in &placed {
        let (alloc, node) = (output::id(allocation.id, verbose), output::id(allocation.node_id, verbose));
        println!("    Allocation {alloc:?} created: node {node:?}, group {:?}", &*allocation.task_group);
    }
    if evaluation.status != EvalStatus::Complete {
        println!("    Evaluation status is {}: {}", evaluation.status.as_str(), evaluation.status_description);
        return Ok(Exit::Failed);
    }
    print_failures(&evaluation.failed_tg_allocs);
    let unplaced = !evaluation.failed_tg_allocs.is_empty();
    if let Some(blocked) = evaluation.blocked_eval {
        println!("    Evaluation {:?} waits for room for the rest", output::id(blocked, verbose));
    }
    match evaluation.deployment_id {
        Some(id) => {
            let exit = deployment(client, &id.to_string(), verbose).await?;
            Ok(if unplaced && exit == Exit::Ok { Exit::Failed } else { exit })
        }
        None => {
            println!("    Evaluation status is {}", evaluation.status.as_str());
            Ok(if unplaced { Exit::Failed } else { Exit::Ok })
        }
    }
}

/// An evaluation once nothing is done about it any more for now.
pub(crate) async fn settled(client: &Client, id: &str) -> Result<Evaluation> {
    let mut answer = client.evaluation(id).await?;
    while !answer.data.status.is_terminal() && answer.data.status != EvalStatus::Blocked {
        answer = client.get_after(&format!("/v1/evaluation/{id}"), answer.index, WAIT).await?;
    }
    Ok(answer.data)
}

/// Follows a deployment until it has ended, or until only a person can move it on.
pub(crate) async fn deployment(client: &Client, id: &str, verbose: bool) -> Result<Exit> {
    println!("==> Monitoring deployment {:?}", output::id(id, verbose));
    let mut progress = Progress::start();
    let mut answer = client.deployment(id).await?;
    loop {
        progress.say(groups(&answer.data));
        if !answer.data.is_active() || waits_for_promotion(&answer.data) {
            break;
        }
        answer = client.deployment_after(id, answer.index, WAIT).await?;
    }
    progress.end();
    let deployment = answer.data;
    println!("    Status = {}: {}", deployment.status.as_str(), deployment.status_description);
    Ok(verdict(&deployment))
}

fn verdict(deployment: &Deployment) -> Exit {
    match deployment.status {
        DeploymentStatus::Successful => Exit::Ok,
        DeploymentStatus::Failed | DeploymentStatus::Cancelled if deployment.status_description.contains("- rolling back") => {
            Exit::Reverted
        }
        status if status.is_active() => {
            println!("    The canaries are healthy. To go on: drover job promote {}", deployment.job_id);
            Exit::NeedsPromotion
        }
        _ => Exit::Failed,
    }
}

/// All canaries are healthy, and no group promotes itself.
fn waits_for_promotion(deployment: &Deployment) -> bool {
    let canaries = deployment.task_groups.values().filter(|group| group.desired_canaries > 0 && !group.promoted);
    let healthy = canaries.clone().all(|group| group.healthy_allocs >= group.desired_canaries);
    deployment.status == DeploymentStatus::Running
        && deployment.requires_promotion()
        && healthy
        && canaries.into_iter().all(|group| !group.auto_promote)
}

/// `web: 1 of 2 canaries healthy, 3 of 4 healthy`.
fn groups(deployment: &Deployment) -> String {
    let group = |(name, group): (&Name, &drover_model::deployment::DeploymentState)| {
        let (what, wanted) = match group.desired_canaries {
            0 => ("healthy", group.desired_total),
            canaries if !group.promoted => ("canaries healthy", canaries),
            _ => ("healthy, promoted", group.desired_total),
        };
        let unhealthy = if group.unhealthy_allocs > 0 { format!(", {} unhealthy", group.unhealthy_allocs) } else { String::new() };
        format!("{name}: {} of {wanted} {what}{unhealthy}", group.healthy_allocs)
    };
    deployment.task_groups.iter().map(group).collect::<Vec<_>>().join("; ")
}

/// Why groups could not be placed, by the reasons that the scheduler counted.
pub(crate) fn print_failures(failed: &BTreeMap<Name, std::sync::Arc<AllocMetric>>) {
    for (group, metric) in failed {
        println!("    Task group {:?} failed to place {} allocation(s):", &**group, metric.coalesced_failures + 1);
        print_metric(metric, "      ");
    }
}

pub(crate) fn print_metric(metric: &AllocMetric, indent: &str) {
    if metric.nodes_evaluated == 0 {
        println!("{indent}* No nodes were eligible for evaluation");
    }
    for (datacenter, nodes) in metric.nodes_available.iter().filter(|(_, nodes)| **nodes == 0) {
        println!("{indent}* No nodes are available in datacenter {datacenter:?} ({nodes})");
    }
    for (class, count) in &metric.class_filtered {
        println!("{indent}* Class {class:?}: {count} nodes excluded by filter");
    }
    for (constraint, count) in &metric.constraint_filtered {
        println!("{indent}* Constraint {constraint:?}: {count} nodes excluded by filter");
    }
    if metric.nodes_exhausted > 0 {
        println!("{indent}* Resources exhausted on {} nodes", metric.nodes_exhausted);
    }
    for (dimension, count) in &metric.dimension_exhausted {
        println!("{indent}* Dimension {dimension:?} exhausted on {count} nodes");
    }
    for (node_class, count) in &metric.class_exhausted {
        println!("{indent}* Class {node_class:?} exhausted on {count} nodes");
    }
    for quota in &metric.quota_exhausted {
        println!("{indent}* Quota limit hit {quota:?}");
    }
}

//! `drover job status`

use anyhow::Result;
use drover_api::Client;
use drover_model::{
    deployment::Deployment,
    job::{Job, JobSummary},
    view::AllocationStub,
};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Pairs, Shown, Table, ago, date, heading},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it; none lists all jobs
    job: Option<String>,
    #[command(flatten)]
    shown: Shown,
    /// Leave out allocations
    #[arg(long)]
    short: bool,
    /// Show evaluations too
    #[arg(long)]
    evals: bool,
    /// Show allocations of earlier jobs of this name too
    #[arg(long)]
    all_allocs: bool,
    /// Print whole ids
    #[arg(long)]
    verbose: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        let colours = reach.colours();
        block_on(async {
            match &self.job {
                None => self.list(&client, colours).await?,
                Some(prefix) => {
                    let id = super::find(&client, prefix).await?;
                    self.one(&client, &id, colours).await?;
                }
            }
            Ok(Exit::Ok)
        })
    }

    async fn list(&self, client: &Client, colours: bool) -> Result<()> {
        let jobs = client.jobs("").await?.data;
        if self.shown.print(&jobs)? {
            return Ok(());
        }
        if jobs.is_empty() {
            println!("No running jobs");
            return Ok(());
        }
        let mut table = Table::new(["ID", "Type", "Priority", "Status", "Submit Date"]);
        for job in jobs {
            let status = if job.stop { format!("{} (stopped)", job.status.as_str()) } else { job.status.as_str().to_owned() };
            table.row([
                job.id.to_string(),
                job.kind.to_string(),
                job.priority.to_string(),
                output::status(&status, colours),
                date(job.submit_time),
            ]);
        }
        table.print();
        Ok(())
    }

    async fn one(&self, client: &Client, id: &str, colours: bool) -> Result<()> {
        let job = client.job(id).await?.data;
        if self.shown.print(&job)? {
            return Ok(());
        }
        print_job(&job, colours);
        print_summary(&client.job_summary(id).await?.data, colours);
        if self.short {
            return Ok(());
        }
        if self.evals {
            self.print_evaluations(client, id, colours).await?;
        }
        if let Some(deployment) = client.job_latest_deployment(id).await?.data {
            print_deployment(&deployment, self.verbose, colours);
        }
        let allocations = client.job_allocations(id, self.all_allocs).await?.data;
        print_allocations(&allocations, self.verbose, colours);
        Ok(())
    }

    async fn print_evaluations(&self, client: &Client, id: &str, colours: bool) -> Result<()> {
        heading("Evaluations", colours);
        let mut table = Table::new(["ID", "Priority", "Triggered By", "Status", "Placement Failures"]);
        for evaluation in client.job_evaluations(id).await?.data {
            let trigger = serde_json::to_value(evaluation.triggered_by)?;
            table.row([
                output::id(evaluation.id, self.verbose),
                evaluation.priority.to_string(),
                trigger.as_str().unwrap_or_default().to_owned(),
                output::status(evaluation.status.as_str(), colours),
                (!evaluation.failed_tg_allocs.is_empty()).to_string(),
            ]);
        }
        table.print();
        Ok(())
    }
}

fn print_job(job: &Job, colours: bool) {
    let status = if job.stop { format!("{} (stopped)", job.status.as_str()) } else { job.status.as_str().to_owned() };
    let mut pairs = Pairs::default();
    pairs
        .add("ID", &job.id)
        .add("Name", &job.name)
        .add("Submit Date", date(job.submit_time))
        .add("Type", job.kind)
        .add("Priority", job.priority);
    pairs.add("Datacenters", job.datacenters.join(",")).add("Namespace", &job.namespace).add("Node Pool", &job.node_pool);
    pairs.add("Status", output::status(&status, colours)).add("Version", job.version);
    pairs.add("Periodic", job.is_periodic()).add("Parameterized", job.is_parameterized());
    pairs.print();
}

fn print_summary(summary: &JobSummary, colours: bool) {
    heading("Summary", colours);
    let mut table = Table::new(["Task Group", "Queued", "Starting", "Running", "Failed", "Complete", "Lost", "Unknown"]);
    for (group, counts) in &summary.summary {
        let counts = [counts.queued, counts.starting, counts.running, counts.failed, counts.complete, counts.lost, counts.unknown];
        let [queued, starting, running, failed, complete, lost, unknown] = counts.map(|count| count.to_string());
        table.row([group.clone(), queued, starting, running, failed, complete, lost, unknown]);
    }
    table.print();
}

pub(crate) fn print_deployment(deployment: &Deployment, verbose: bool, colours: bool) {
    heading("Latest Deployment", colours);
    let mut pairs = Pairs::default();
    pairs.add("ID", output::id(deployment.id, verbose)).add("Status", output::status(deployment.status.as_str(), colours));
    if deployment.is_of_templates() {
        pairs.add("Rolls Out", "changed templates");
    }
    pairs.add("Description", &deployment.status_description);
    pairs.print();
    print_deployment_groups(deployment, colours);
}

pub(crate) fn print_deployment_groups(deployment: &Deployment, colours: bool) {
    heading("Deployed", colours);
    let mut table =
        Table::new(["Task Group", "Auto Revert", "Promoted", "Desired", "Canaries", "Placed", "Healthy", "Unhealthy", "Progress Deadline"]);
    for (name, group) in &deployment.task_groups {
        let promoted = if group.desired_canaries > 0 { group.promoted.to_string() } else { "N/A".to_owned() };
        table.row([
            name.to_string(),
            group.auto_revert.to_string(),
            promoted,
            group.desired_total.to_string(),
            group.desired_canaries.to_string(),
            group.placed_allocs.to_string(),
            group.healthy_allocs.to_string(),
            group.unhealthy_allocs.to_string(),
            date(group.require_progress_by.0),
        ]);
    }
    table.print();
}

pub(crate) fn print_allocations(allocations: &[AllocationStub], verbose: bool, colours: bool) {
    heading("Allocations", colours);
    if allocations.is_empty() {
        println!("No allocations placed");
        return;
    }
    let mut sorted: Vec<&AllocationStub> = allocations.iter().collect();
    sorted.sort_by_key(|allocation| std::cmp::Reverse((allocation.create_index, allocation.id)));
    let mut table = Table::new(["ID", "Node ID", "Task Group", "Version", "Desired", "Status", "Created", "Modified"]);
    for allocation in sorted {
        table.row([
            output::id(allocation.id, verbose),
            output::id(allocation.node_id, verbose),
            allocation.task_group.to_string(),
            allocation.job_version.to_string(),
            allocation.desired_status.as_str().to_owned(),
            output::status(allocation.client_status.as_str(), colours),
            ago(allocation.create_time),
            ago(allocation.modify_time),
        ]);
    }
    table.print();
}

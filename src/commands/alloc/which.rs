//! Which allocation is meant: its id, or one of a job's.

use anyhow::{Context, Result, bail};
use drover_api::Client;
use drover_model::view::AllocationStub;

#[derive(clap::Args, Debug)]
pub(crate) struct Which {
    /// The allocation's id, or the start of it; with -job, the job's
    allocation: String,
    /// Take a running allocation of this job
    #[arg(long)]
    job: bool,
    /// Of this group, with -job
    #[arg(long)]
    group: Option<String>,
}

impl Which {
    pub(crate) async fn find(&self, client: &Client) -> Result<AllocationStub> {
        if !self.job {
            return super::find(client, &self.allocation).await;
        }
        let id = crate::commands::job::find(client, &self.allocation).await?;
        let allocations = client.job_allocations(&id, false).await?.data;
        let wanted = |a: &AllocationStub| self.group.as_deref().is_none_or(|group| *group == *a.task_group);
        let newest = allocations.into_iter().filter(wanted).max_by_key(|a| (a.client_status.as_str() == "running", a.create_index));
        newest.with_context(|| format!("job {id:?} has no allocation that could be meant"))
    }
}

/// The task that is meant: the one that is named, else the only one.
pub(crate) async fn task(client: &Client, id: &str, named: Option<&str>) -> Result<String> {
    if let Some(task) = named {
        return Ok(task.to_owned());
    }
    let allocation = client.allocation(id).await?.data;
    let names: Vec<&str> = allocation.group().map(|group| group.tasks.iter().map(|task| task.name.as_str()).collect()).unwrap_or_default();
    match names.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => bail!("allocation {id} has no task"),
        several => bail!("allocation {id} has the tasks {}; name one", several.join(", ")),
    }
}

//! `drover job stop`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    monitor::Follow,
    terminal,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    #[command(flatten)]
    follow: Follow,
    /// Forget the job at once, so that it cannot be started again
    #[arg(long)]
    purge: bool,
    /// Stop tasks at once, without the group's and the tasks' shutdown_delay
    #[arg(long)]
    no_shutdown_delay: bool,
    /// In all regions
    #[arg(long, hide = true)]
    global: bool,
    /// The priority of the evaluation (1 to 100)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    eval_priority: Option<u8>,
    /// Do not ask when the id is only the start of a job's
    #[arg(long, alias = "y")]
    yes: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.job).await?;
            if id != self.job && !self.yes && !confirmed(&id).await? {
                println!("Cancelling job stop");
                return Ok(Exit::Ok);
            }
            let stopped = client.deregister(&id, self.purge, self.no_shutdown_delay, self.eval_priority).await?.data;
            let evaluation = stopped.eval_id.as_str();
            self.follow.stop(&client, evaluation, if evaluation.is_empty() { "Job stopped" } else { evaluation }).await
        })
    }
}

/// Stopping the wrong job is not undone easily, so a guess is confirmed; where nobody can answer, it is refused.
async fn confirmed(id: &str) -> Result<bool> {
    if !terminal::is_there() {
        anyhow::bail!("the id is only the start of {id:?}; give the whole id, or -yes");
    }
    Ok(terminal::confirmed(&format!("Are you sure you want to stop job {id:?}?")).await?)
}

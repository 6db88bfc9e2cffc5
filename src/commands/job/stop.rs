//! `drover job stop`

use std::io::{IsTerminal, Write};

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    monitor,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    /// Return once the job is stopped, without waiting for its allocations
    #[arg(long)]
    detach: bool,
    /// Forget the job at once, so that it cannot be started again
    #[arg(long)]
    purge: bool,
    /// Stop tasks at once, without the group's and the tasks' shutdown_delay
    #[arg(long)]
    no_shutdown_delay: bool,
    /// In all regions
    #[arg(long, hide = true)]
    global: bool,
    /// The priority of the evaluation
    #[arg(long, hide = true)]
    eval_priority: Option<u8>,
    /// Do not ask when the id is only the start of a job's
    #[arg(long, alias = "y")]
    yes: bool,
    /// Print whole ids
    #[arg(long)]
    verbose: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.job).await?;
            if id != self.job && !self.yes && !confirmed(&id)? {
                println!("Cancelling job stop");
                return Ok(Exit::Ok);
            }
            let stopped = client.deregister(&id, self.purge, self.no_shutdown_delay).await?.data;
            if self.detach || stopped.eval_id.is_empty() {
                println!("{}", if stopped.eval_id.is_empty() { "Job stopped".to_owned() } else { stopped.eval_id });
                return Ok(Exit::Ok);
            }
            monitor::stop(&client, &stopped.eval_id, self.verbose).await
        })
    }
}

/// Stopping the wrong job is not undone easily, so a guess is confirmed; where nobody can answer, it is refused.
fn confirmed(id: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        anyhow::bail!("the id is only the start of {id:?}; give the whole id, or -yes");
    }
    print!("Are you sure you want to stop job {id:?}? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

//! `drover alloc restart`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The allocation's id, or the start of it
    allocation: String,
    /// Restart this task only
    task: Option<String>,
    /// The task
    #[arg(long = "task", value_name = "TASK")]
    task_flag: Option<String>,
    /// Restart all tasks, those that have ended too
    #[arg(long)]
    all_tasks: bool,
    /// Print whole ids
    #[arg(long, hide = true)]
    verbose: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.allocation).await?.id.to_string();
            let task = self.task_flag.as_deref().or(self.task.as_deref());
            client.restart_allocation(&id, task, self.all_tasks).await?;
            Ok(Exit::Ok)
        })
    }
}

//! `drover alloc signal`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The allocation's id, or the start of it
    allocation: String,
    /// Only to this task
    task: Option<String>,
    /// The task
    #[arg(long = "task", value_name = "TASK")]
    task_flag: Option<String>,
    /// The signal
    #[arg(short, value_name = "SIGNAL", default_value = "SIGKILL")]
    s: String,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.allocation).await?.id.to_string();
            let task = self.task_flag.as_deref().or(self.task.as_deref());
            client.signal_allocation(&id, task, &self.s).await?;
            Ok(Exit::Ok)
        })
    }
}

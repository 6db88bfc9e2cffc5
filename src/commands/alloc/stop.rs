//! `drover alloc stop`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    monitor::Follow,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The allocation's id, or the start of it
    allocation: String,
    #[command(flatten)]
    follow: Follow,
    /// Without the group's and the tasks' shutdown_delay
    #[arg(long)]
    no_shutdown_delay: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.allocation).await?.id.to_string();
            let stopped = client.stop_allocation(&id, self.no_shutdown_delay).await?.data;
            let evaluation = stopped["EvalID"].as_str().unwrap_or_default();
            self.follow.evaluation(&client, evaluation, evaluation).await
        })
    }
}

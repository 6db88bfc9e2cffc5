//! `drover job scale`

use anyhow::{Result, bail};
use drover_api::ScaleRequest;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    monitor::Follow,
};

/// What the job's scaling events say of who changed the count.
const MESSAGE: &str = "submitted using the command line";

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    /// The group, when the job has several, and how many it shall have
    #[arg(required = true, num_args = 1..=2, value_names = ["GROUP", "COUNT"])]
    group_and_count: Vec<String>,
    /// Only if the job still has this modify index
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    check_index: u64,
    #[command(flatten)]
    follow: Follow,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        // The count is the last of them; clap has seen to it that there are one or two.
        let (count, group) = self.group_and_count.split_last().map_or(("", None), |(count, group)| (count.as_str(), group.first()));
        let Ok(count) = count.parse::<u32>() else {
            bail!("{count:?} is no number of allocations: drover job scale {} [GROUP] COUNT", self.job)
        };
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.job).await?;
            let group = match group {
                Some(group) => group.clone(),
                None => {
                    let job = client.job(&id).await?.data;
                    let groups: Vec<_> = job.task_groups.iter().map(|group| group.name.to_string()).collect();
                    let [only] = groups.as_slice() else { bail!("{id} has several groups; say which one: {}", groups.join(", ")) };
                    only.clone()
                }
            };
            let scaled = client
                .scale(&ScaleRequest { job_id: &id, group: &group, count, message: MESSAGE, check_index: self.check_index })
                .await?
                .data;
            self.follow.evaluation(&client, &scaled.eval_id, &format!("{id} shall have {count} of {group}")).await
        })
    }
}

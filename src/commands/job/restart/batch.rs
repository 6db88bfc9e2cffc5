//! One batch: how many it has, and how they are restarted.

use std::str::FromStr;

use anyhow::{Context, Result, bail};
use drover_api::Client;
use drover_model::{
    allocation::{Allocation, ClientStatus},
    ids::AllocId,
};
use futures::StreamExt;

use crate::monitor::{self, WAIT};

/// However large a batch is, so many are asked for at a time.
const AT_A_TIME: usize = 32;

/// How many allocations are restarted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchSize {
    Number(usize),
    Percent(usize),
}

impl FromStr for BatchSize {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let size = match text.strip_suffix('%') {
            Some(percent) => percent.parse().ok().filter(|percent| (1..=100).contains(percent)).map(Self::Percent),
            None => text.parse().ok().filter(|number| *number > 0).map(Self::Number),
        };
        size.context("write it as a number from 1, or as 1% to 100%")
    }
}

impl BatchSize {
    /// At least one.
    pub(super) fn of(self, all: usize) -> usize {
        match self {
            Self::Number(number) => number,
            Self::Percent(percent) => all.saturating_mul(percent).div_ceil(100).max(1),
        }
    }
}

/// How they are restarted.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(super) struct How {
    /// All tasks, those that have ended too
    #[arg(long, conflicts_with_all = ["reschedule", "tasks"])]
    all_tasks: bool,
    /// Stop allocations and wait for those that take their places, maybe on other nodes
    #[arg(long, conflicts_with = "tasks")]
    reschedule: bool,
    /// With -reschedule: without the group's and the tasks' shutdown_delay
    #[arg(long, requires = "reschedule")]
    no_shutdown_delay: bool,
}

/// An allocation with the tasks that are meant; none are all that run.
#[derive(Clone, Debug)]
pub(super) struct Restart {
    pub(super) id: AllocId,
    pub(super) tasks: Vec<String>,
}

impl How {
    /// Restarts a batch. Answers those that could not be restarted, and why.
    pub(super) async fn restart<'a>(&self, client: &Client, batch: &'a [Restart]) -> Vec<(&'a Restart, anyhow::Error)> {
        let restarts = batch.iter().map(|restart| async move { (restart, self.one(client, restart).await) });
        let outcomes: Vec<_> = futures::stream::iter(restarts).buffered(AT_A_TIME).collect().await;
        outcomes.into_iter().filter_map(|(restart, outcome)| Some((restart, outcome.err()?))).collect()
    }

    async fn one(&self, client: &Client, restart: &Restart) -> Result<()> {
        let id = restart.id.to_string();
        if self.reschedule {
            return self.replace(client, &id).await;
        }
        if restart.tasks.is_empty() {
            client.restart_allocation(&id, None, self.all_tasks).await?;
        }
        for task in &restart.tasks {
            client.restart_allocation(&id, Some(task), false).await.with_context(|| format!("task {task:?}"))?;
        }
        Ok(())
    }

    /// Stops an allocation, and waits until what takes its place runs.
    async fn replace(&self, client: &Client, id: &str) -> Result<()> {
        let stopped = client.stop_allocation(id, self.no_shutdown_delay).await?.data;
        let evaluation = stopped["EvalID"].as_str().unwrap_or_default().to_owned();
        monitor::settled(client, &evaluation).await?;
        let next = client.allocation(id).await?.data.next_allocation;
        let next = next.with_context(|| format!("nothing took its place: `drover eval status {evaluation}` says why"))?;
        let path = format!("/v1/allocation/{next}");
        let mut answer = client.get_after::<Allocation>(&path, 0, WAIT).await?;
        while answer.data.client_status == ClientStatus::Pending {
            answer = client.get_after(&path, answer.index, WAIT).await?;
        }
        match answer.data.client_status {
            ClientStatus::Running | ClientStatus::Complete => Ok(()),
            status => bail!("{next}, which took its place, is {}", status.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_at_least_one() {
        for (text, all, size) in [("1", 9, 1), ("4", 9, 4), ("20%", 9, 2), ("1%", 9, 1), ("100%", 9, 9), ("150", 9, 150)] {
            assert_eq!(text.parse::<BatchSize>().unwrap().of(all), size, "{text}");
        }
        for text in ["0", "0%", "101%", "-1", "some", "", "%"] {
            assert!(text.parse::<BatchSize>().is_err(), "{text}");
        }
    }
}

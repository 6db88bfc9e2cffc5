//! `drover job restart`

mod batch;

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, bail};
use drover_api::Client;
use drover_model::{
    allocation::{ClientStatus, DesiredStatus},
    job::Job,
    view::AllocationStub,
};

use self::batch::{BatchSize, How, Restart};
use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output, terminal,
};

/// The allocations that run are restarted where they are, a batch at a time; the next batch waits until this one is done
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    /// So many at a time: a number, or a part of all such as 25%
    #[arg(long, value_name = "N", default_value = "1")]
    batch_size: BatchSize,
    /// Between batches: seconds, or 1m30s, or `ask`
    #[arg(long, value_name = "WAIT", default_value = "0", value_parser = pause)]
    batch_wait: Pause,
    /// Only allocations of this group; may be given several times
    #[arg(long = "group")]
    groups: Vec<String>,
    /// Only this task; may be given several times
    #[arg(long = "task")]
    tasks: Vec<String>,
    #[command(flatten)]
    how: How,
    /// When a batch fails: ask whether to go on (the default at a terminal), or fail
    #[arg(long, value_name = "WHAT")]
    on_error: Option<OnError>,
    /// Ask nothing: go on after failed batches, unless -on-error says otherwise
    #[arg(long, alias = "y")]
    yes: bool,
    /// Print whole ids
    #[arg(long)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OnError {
    Ask,
    Fail,
    /// What -yes means.
    #[value(skip)]
    GoOn,
}

/// What happens between two batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    For(Duration),
    Ask,
}

fn pause(text: &str) -> Result<Pause> {
    match (text, text.parse()) {
        ("ask", _) => Ok(Pause::Ask),
        (_, Ok(seconds)) => Ok(Pause::For(Duration::from_secs(seconds))),
        _ => Ok(Pause::For(crate::commands::node::drain::duration(text)?)),
    }
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let on_error = match (self.on_error, self.yes) {
            (Some(said), _) => said,
            (None, true) => OnError::GoOn,
            (None, false) if terminal::is_there() => OnError::Ask,
            (None, false) => OnError::Fail,
        };
        if (on_error == OnError::Ask || self.batch_wait == Pause::Ask) && !terminal::is_there() {
            bail!("nobody can be asked here: standard input is no terminal");
        }
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.job).await?;
            let chosen = self.chosen(&client, &id).await?;
            if chosen.is_empty() {
                println!("No allocations to restart");
                return Ok(Exit::Ok);
            }
            self.batches(&client, &id, &chosen, on_error).await
        })
    }

    /// The allocations that are meant, each with the tasks to restart (none: all that run).
    async fn chosen(&self, client: &Client, id: &str) -> Result<Vec<Restart>> {
        let job = client.job(id).await?.data;
        for group in &self.groups {
            job.group(group).with_context(|| format!("job {id:?} has no group {group:?}"))?;
        }
        let known: BTreeSet<&str> = job.task_groups.iter().flat_map(|group| group.tasks.iter().map(|task| task.name.as_str())).collect();
        if let Some(task) = self.tasks.iter().find(|task| !known.contains(task.as_str())) {
            bail!("job {id:?} has no task {task:?}");
        }
        let wanted = |allocation: &AllocationStub| {
            allocation.client_status == ClientStatus::Running
                && allocation.desired_status == DesiredStatus::Run
                && (self.groups.is_empty() || self.groups.iter().any(|group| **group == *allocation.task_group))
        };
        let mut running: Vec<_> = client.job_allocations(id, false).await?.data.into_iter().filter(wanted).collect();
        running.sort_by(|a, b| a.name.cmp(&b.name));
        let with_tasks = running.iter().map(|allocation| Restart { id: allocation.id, tasks: self.tasks_of(&job, &allocation.task_group) });
        Ok(with_tasks.filter(|restart| self.tasks.is_empty() || !restart.tasks.is_empty()).collect())
    }

    fn tasks_of(&self, job: &Job, group: &str) -> Vec<String> {
        let Some(group) = job.group(group) else { return Vec::new() };
        self.tasks.iter().filter(|name| group.tasks.iter().any(|task| task.name == **name)).cloned().collect()
    }

    async fn batches(&self, client: &Client, id: &str, chosen: &[Restart], on_error: OnError) -> Result<Exit> {
        let size = self.batch_size.of(chosen.len());
        let batches = chosen.len().div_ceil(size);
        println!("==> Restarting {} allocation{} of job {id:?}", chosen.len(), if chosen.len() == 1 { "" } else { "s" });
        let mut failed = 0;
        for (position, batch) in chosen.chunks(size).enumerate() {
            println!("    Batch {} of {batches}", position + 1);
            let errors = self.how.restart(client, batch).await;
            for (restart, error) in &errors {
                eprintln!("    Error: allocation {}: {error:#}", output::id(restart.id, self.verbose));
            }
            failed += errors.len();
            if position + 1 == batches {
                break;
            }
            if !errors.is_empty() && !go_on(on_error).await? {
                break;
            }
            match self.batch_wait {
                Pause::For(time) => tokio::time::sleep(time).await,
                Pause::Ask if terminal::confirmed("    Go on with the next batch?").await? => {}
                Pause::Ask => return Ok(Exit::Error),
            }
        }
        if failed > 0 {
            bail!("{failed} of {} allocations were not restarted", chosen.len());
        }
        println!("==> All allocations restarted");
        Ok(Exit::Ok)
    }
}

async fn go_on(on_error: OnError) -> Result<bool> {
    match on_error {
        OnError::Ask => Ok(terminal::confirmed("    Go on with the next batch all the same?").await?),
        OnError::Fail => Ok(false),
        OnError::GoOn => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_seconds_or_durations_or_a_question() {
        for (text, expected) in [("5", Some(5)), ("1m30s", Some(90)), ("0", Some(0)), ("soon", None), ("-5", None)] {
            assert_eq!(pause(text).ok(), expected.map(|seconds| Pause::For(Duration::from_secs(seconds))), "{text}");
        }
        assert_eq!(pause("ask").ok(), Some(Pause::Ask));
    }
}

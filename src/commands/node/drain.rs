//! `drover node drain`

use std::time::Duration;

use anyhow::{Context, Result};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

/// A drain that says nothing else has this long.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(3600);

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The node's id, or the start of it
    node: String,
    /// Start draining
    #[arg(long, conflicts_with = "disable", required_unless_present = "disable")]
    enable: bool,
    /// Stop draining; the node takes new work again
    #[arg(long)]
    disable: bool,
    /// What has not moved after this is stopped (such as 30m)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    deadline: Option<Duration>,
    /// Wait for as long as it takes
    #[arg(long, conflicts_with = "deadline")]
    no_deadline: bool,
    /// Stop everything at once
    #[arg(long, conflicts_with_all = ["deadline", "no_deadline"])]
    force: bool,
    /// Leave system jobs where they are
    #[arg(long)]
    ignore_system: bool,
    /// With -disable: take no new work either
    #[arg(long)]
    keep_ineligible: bool,
    /// Do not ask
    #[arg(long, alias = "y")]
    yes: bool,
    /// Return once the drain has begun (the default)
    #[arg(long, hide = true)]
    detach: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let node = super::find(&client, &self.node).await?;
            let id = node.id.to_string();
            if self.disable {
                client.drain(&id, None, false, !self.keep_ineligible).await?;
                println!("Node {id:?} drain stopped");
                return Ok(Exit::Ok);
            }
            let deadline = match (self.force, self.no_deadline) {
                (true, _) => -1,
                (_, true) => 0,
                _ => drover_model::time::nanos_of(self.deadline.unwrap_or(DEFAULT_DEADLINE)),
            };
            client.drain(&id, Some(deadline), self.ignore_system, false).await?;
            println!("Node {id:?} drain started");
            Ok(Exit::Ok)
        })
    }
}

/// `1h30m`, `90s`.
pub(crate) fn duration(text: &str) -> Result<Duration> {
    let nanos = drover_model::spec::parse_duration(text).map_err(anyhow::Error::msg)?;
    Ok(Duration::from_nanos(u64::try_from(nanos).with_context(|| format!("{text:?} is below zero"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_written() {
        for (text, seconds) in [("1h30m", Some(5400)), ("90s", Some(90)), ("5", None), ("x", None), ("3d", None)] {
            assert_eq!(duration(text).ok().map(|d| d.as_secs()), seconds, "{text}");
        }
    }
}

//! `drover server members`

use anyhow::{Context, Result};
use drover_api::Members;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Shown, Table},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Show tags
    #[arg(long, alias = "detailed")]
    verbose: bool,
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let all: serde_json::Value = client.get("/v1/agent/members", &[]).await?.data;
            if self.shown.print(&all)? {
                return Ok(Exit::Ok);
            }
            let members: Members = serde_json::from_value(all).context("the agent's members are not what was expected")?;
            let leader = client.leader().await.map(|answer| answer.data).unwrap_or_default();
            let mut table = Table::new(["Name", "Address", "Port", "Status", "Leader", "Build", "Datacenter", "Region"]);
            for member in members.members {
                let tag = |name: &str| member.tags.get(name).cloned().unwrap_or_default();
                let is_leader = !leader.is_empty() && leader == format!("{}:{}", member.addr, tag("port"));
                table.row([
                    member.name.clone(),
                    member.addr.clone(),
                    member.port.to_string(),
                    output::status(&member.status, reach.colours()),
                    is_leader.to_string(),
                    tag("build"),
                    tag("dc"),
                    tag("region"),
                ]);
            }
            table.print();
            Ok(Exit::Ok)
        })
    }
}

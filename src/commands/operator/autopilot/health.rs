//! `drover operator autopilot health`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Pairs, Shown, Table, duration},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let health = client.autopilot_health().await?;
            if self.shown.print(&health)? {
                return Ok(Exit::Ok);
            }
            let mut pairs = Pairs::default();
            pairs.add("Healthy", health.healthy).add("FailureTolerance", health.failure_tolerance).add("Leader", &health.leader);
            pairs.print();
            println!();
            let mut table = Table::new(["Name", "Address", "SerfStatus", "Version", "Leader", "Voter", "Healthy", "LastContact"]);
            for server in health.servers {
                table.row([
                    server.name,
                    server.address,
                    output::status(&server.serf_status, reach.colours()),
                    server.version,
                    server.leader.to_string(),
                    server.voter.to_string(),
                    server.healthy.to_string(),
                    duration(server.last_contact),
                ]);
            }
            table.print();
            Ok(Exit::Ok)
        })
    }
}

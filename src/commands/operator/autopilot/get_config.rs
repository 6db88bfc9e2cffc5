//! `drover operator autopilot get-config`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Pairs, duration},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let config = client.autopilot_config().await?.data;
            if self.json {
                output::json(&config)?;
                return Ok(Exit::Ok);
            }
            let mut pairs = Pairs::default();
            pairs
                .add("CleanupDeadServers", config.cleanup_dead_servers)
                .add("LastContactThreshold", duration(config.last_contact_threshold))
                .add("MaxTrailingLogs", config.max_trailing_logs)
                .add("MinQuorum", config.min_quorum)
                .add("ServerStabilizationTime", duration(config.server_stabilization_time))
                .add("EnableRedundancyZones", config.enable_redundancy_zones)
                .add("DisableUpgradeMigration", config.disable_upgrade_migration)
                .add("EnableCustomUpgrades", config.enable_custom_upgrades);
            pairs.print();
            Ok(Exit::Ok)
        })
    }
}

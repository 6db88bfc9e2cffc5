//! `drover operator autopilot get-config`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{Pairs, Shown, duration},
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
            let config = client.autopilot_config().await?.data;
            if self.shown.print(&config)? {
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

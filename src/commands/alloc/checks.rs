//! `drover alloc checks`

use anyhow::Result;
use drover_api::segment;
use drover_model::time::UnixNanos;
use serde_json::Value;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Shown, Table, date},
};

/// Of services in the servers' own catalogue, whose checks the client makes itself
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The allocation's id, or the start of it
    allocation: String,
    #[command(flatten)]
    shown: Shown,
    /// Print whole ids
    #[arg(long, hide = true)]
    verbose: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.allocation).await?.id.to_string();
            let checks: Value = client.get(&format!("/v1/client/allocation/{}/checks", segment(&id)), &[]).await?.data;
            if self.shown.print(&checks)? {
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(["Check", "Service", "Task", "Mode", "Status", "Last", "Output"]);
            for check in checks.as_object().into_iter().flat_map(|checks| checks.values()) {
                let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
                let last = UnixNanos(check["Timestamp"].as_i64().unwrap_or(0).saturating_mul(1_000_000_000));
                let said = text("Output").lines().next().unwrap_or_default().to_owned();
                let status = output::status(&text("Status"), reach.colours());
                table.row([text("Check"), text("Service"), text("Task"), text("Mode"), status, date(last), said]);
            }
            if table.is_empty() {
                println!("No checks found")
            } else {
                table.print()
            }
            Ok(Exit::Ok)
        })
    }
}

//! `drover service info`

use anyhow::Result;
use drover_model::service::ServiceRegistration;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Shown, Table},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The service's name
    service: String,
    /// Only instances whose checks pass
    #[arg(long)]
    healthy: bool,
    #[command(flatten)]
    shown: Shown,
    /// Print whole ids
    #[arg(long)]
    verbose: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let healthy = if self.healthy { "true" } else { "" };
            let path = format!("/v1/service/{}", self.service);
            let query = [("healthy", healthy)];
            let query = if self.healthy { query.as_slice() } else { &[] };
            let instances: Vec<ServiceRegistration> = client.get(&path, query).await?.data;
            if self.shown.print(&instances)? {
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(["Job ID", "Address", "Health", "Tags", "Node ID", "Alloc ID"]);
            for instance in instances {
                let health = serde_json::to_value(instance.health)?;
                table.row([
                    instance.job_id.to_string(),
                    format!("{}:{}", instance.address, instance.port),
                    output::status(health.as_str().unwrap_or_default(), reach.colours()),
                    format!("[{}]", instance.tags.join(",")),
                    output::id(instance.node_id, self.verbose),
                    output::id(instance.alloc_id, self.verbose),
                ]);
            }
            if table.is_empty() {
                println!("No instances of {:?} found", self.service)
            } else {
                table.print()
            }
            Ok(Exit::Ok)
        })
    }
}

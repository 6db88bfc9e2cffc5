//! `drover deployment status`

use anyhow::Result;

use crate::{
    commands::job::status::{print_allocations, print_deployment_groups},
    context::{Reach, block_on},
    exit::Exit,
    monitor,
    output::{self, Pairs, Shown},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The deployment's id, or the start of it
    deployment: String,
    /// Follow it until it has ended
    #[arg(long)]
    monitor: bool,
    #[command(flatten)]
    shown: Shown,
    /// Print whole ids
    #[arg(long)]
    verbose: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        let colours = reach.colours();
        block_on(async {
            let id = super::find(&client, &self.deployment).await?;
            if self.monitor {
                return monitor::deployment(&client, &id, self.verbose).await;
            }
            let deployment = client.deployment(&id).await?.data;
            if self.shown.print(&deployment)? {
                return Ok(Exit::Ok);
            }
            let mut pairs = Pairs::default();
            pairs.add("ID", output::id(deployment.id, self.verbose)).add("Job ID", &deployment.job_id);
            pairs.add("Job Version", deployment.job_version).add("Status", output::status(deployment.status.as_str(), colours));
            if deployment.is_of_templates() {
                pairs.add("Rolls Out", "changed templates");
            }
            pairs.add("Description", &deployment.status_description);
            pairs.print();
            print_deployment_groups(&deployment, colours);
            print_allocations(&client.deployment_allocations(&id).await?.data, self.verbose, colours);
            Ok(Exit::Ok)
        })
    }
}

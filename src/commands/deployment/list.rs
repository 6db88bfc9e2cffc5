//! `drover deployment list`

use anyhow::Result;
use drover_model::deployment::Deployment;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Shown, Table},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
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
            let deployments = client.deployments("").await?.data;
            if !self.shown.print(&deployments)? {
                print(&deployments, self.verbose, reach.colours())
            }
            Ok(Exit::Ok)
        })
    }
}

pub(crate) fn print(deployments: &[Deployment], verbose: bool, colours: bool) {
    if deployments.is_empty() {
        println!("No deployments found");
        return;
    }
    let mut sorted: Vec<&Deployment> = deployments.iter().collect();
    sorted.sort_by_key(|deployment| std::cmp::Reverse(deployment.create_index));
    let mut table = Table::new(["ID", "Job ID", "Job Version", "Status", "Description"]);
    for deployment in sorted {
        table.row([
            output::id(deployment.id, verbose),
            deployment.job_id.to_string(),
            deployment.job_version.to_string(),
            output::status(deployment.status.as_str(), colours),
            deployment.status_description.clone(),
        ]);
    }
    table.print();
}

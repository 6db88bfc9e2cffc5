//! `drover node pool nodes`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Shown, Table},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The pool's name
    name: String,
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
            let nodes = client.node_pool_nodes(&self.name).await?.data;
            if self.shown.print(&nodes)? {
                return Ok(Exit::Ok);
            }
            if nodes.is_empty() {
                println!("No nodes");
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(["ID", "DC", "Name", "Class", "Drain", "Eligibility", "Status"]);
            for node in nodes {
                table.row([
                    output::id(node.id, self.verbose),
                    node.datacenter,
                    node.name,
                    node.node_class,
                    node.drain.to_string(),
                    node.eligibility.as_str().to_owned(),
                    node.status.as_str().to_owned(),
                ]);
            }
            table.print();
            Ok(Exit::Ok)
        })
    }
}

//! `drover node pool jobs`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{Shown, Table},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The pool's name
    name: String,
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let jobs = client.node_pool_jobs(&self.name).await?.data;
            if self.shown.print(&jobs)? {
                return Ok(Exit::Ok);
            }
            if jobs.is_empty() {
                println!("No jobs");
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(["ID", "Namespace", "Type", "Priority", "Status"]);
            for job in jobs {
                table.row([
                    job.id.to_string(),
                    job.namespace.to_string(),
                    job.kind.as_str().to_owned(),
                    job.priority.to_string(),
                    job.status.as_str().to_owned(),
                ]);
            }
            table.print();
            Ok(Exit::Ok)
        })
    }
}

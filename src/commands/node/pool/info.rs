//! `drover node pool info`

use anyhow::Result;
use drover_model::namespace::{PoolAlgorithm, PoolScheduling};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{Pairs, Shown, Table, heading},
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
            let pool = client.node_pool(&self.name).await?.data;
            if self.shown.print(&pool)? {
                return Ok(Exit::Ok);
            }
            let mut pairs = Pairs::default();
            pairs.add("Name", &pool.name).add("Description", &pool.description);
            pairs.print();
            heading("Metadata", reach.colours());
            let mut table = Table::new(["Key", "Value"]);
            pool.meta.iter().for_each(|(key, value)| table.row([key.clone(), value.clone()]));
            if table.is_empty() {
                println!("No metadata");
            } else {
                table.print();
            }
            heading("Scheduler Configuration", reach.colours());
            match pool.scheduler_configuration {
                Some(scheduling) => print(&scheduling),
                None => println!("As the cluster's"),
            }
            Ok(Exit::Ok)
        })
    }
}

fn print(scheduling: &PoolScheduling) {
    let algorithm = match scheduling.scheduler_algorithm {
        PoolAlgorithm::Inherited => "as the cluster's",
        PoolAlgorithm::Binpack => "binpack",
        PoolAlgorithm::Spread => "spread",
    };
    let oversubscription =
        scheduling.memory_oversubscription_enabled.map_or_else(|| "as the cluster's".to_owned(), |enabled| enabled.to_string());
    let mut pairs = Pairs::default();
    pairs.add("Scheduler Algorithm", algorithm).add("Memory Oversubscription", oversubscription);
    pairs.print();
}

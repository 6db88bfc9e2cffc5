//! `drover server join`

use anyhow::{Result, bail};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Servers of the cluster to join: HOST or HOST:PORT
    #[arg(required = true, value_name = "ADDRESS")]
    addresses: Vec<String>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let joined = client.join_servers(&self.addresses).await?.data;
            if joined.num_joined == 0 {
                bail!("failed to join: {}", joined.error);
            }
            if !joined.error.is_empty() {
                eprintln!("{}", joined.error);
            }
            println!("Joined {} servers successfully", joined.num_joined);
            Ok(Exit::Ok)
        })
    }
}

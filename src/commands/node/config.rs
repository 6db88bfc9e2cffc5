//! `drover node config`

use anyhow::{Result, bail};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Show the servers that the agent's client knows
    #[arg(long)]
    servers: bool,
    /// Give the client other servers, as HOST:PORT, until it is started anew
    #[arg(long, conflicts_with = "servers")]
    update_servers: bool,
    /// With -update-servers
    #[arg(value_name = "ADDRESS")]
    addresses: Vec<String>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            if self.update_servers {
                if self.addresses.is_empty() {
                    bail!("name the servers as HOST:PORT");
                }
                client.set_servers(&self.addresses).await?;
                println!("Updated server list");
            } else if self.servers {
                for server in client.servers().await?.data {
                    println!("{server}");
                }
            } else {
                bail!("say -servers or -update-servers");
            }
            Ok(Exit::Ok)
        })
    }
}

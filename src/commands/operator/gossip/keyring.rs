//! `drover operator gossip keyring`

use anyhow::Result;
use drover_api::GossipKeys;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{Shown, Table},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Print a new key, for `encrypt` in the servers' configurations or for `install`
    Generate,
    /// List the keys, and on how many servers each is
    List {
        #[command(flatten)]
        shown: Shown,
    },
    /// Let all servers take what this key has sealed; they go on sealing with the one that they have
    Install { key: String },
    /// Let all servers seal with this key, which must be installed
    Use { key: String },
    /// Let all servers take no more what this key has sealed
    Remove { key: String },
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        match self.command {
            Command::Generate => println!("{}", drover_agent::new_gossip_key()),
            Command::List { shown } => list(reach, &shown)?,
            Command::Install { key } => change(reach, "install", &key, "Installed the key")?,
            Command::Use { key } => change(reach, "use", &key, "Changed the primary key")?,
            Command::Remove { key } => change(reach, "remove", &key, "Removed the key")?,
        }
        Ok(Exit::Ok)
    }
}

fn list(reach: &Reach, shown: &Shown) -> Result<()> {
    let client = reach.client()?;
    let keys = block_on(async { Ok(client.gossip_keys().await?.data) })?;
    if shown.print(&keys)? {
        return Ok(());
    }
    let GossipKeys { keys, primary_keys, num_nodes, .. } = keys;
    let mut table = Table::new(["Key", "Servers", "Primary"]);
    for (key, servers) in keys {
        let primary = primary_keys.get(&key).copied().unwrap_or(0);
        table.row([key, format!("{servers}/{num_nodes}"), format!("{primary}/{num_nodes}")]);
    }
    table.print();
    Ok(())
}

fn change(reach: &Reach, verb: &str, key: &str, done: &str) -> Result<()> {
    let client = reach.client()?;
    let keys = block_on(async { Ok(client.change_gossip_key(verb, key).await?.data) })?;
    println!("{done} on {} servers", keys.num_nodes);
    Ok(())
}

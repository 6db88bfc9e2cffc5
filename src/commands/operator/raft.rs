//! `drover operator raft ...`

mod list_peers;
mod remove_peer;
mod transfer_leadership;

use anyhow::{Result, bail};

use crate::{context::Reach, exit::Exit, verbs};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        self.command.run(reach)
    }
}

verbs! {
    /// List the servers that take part
    ListPeers(list_peers::Args),
    /// Take a server out that is gone for good
    RemovePeer(remove_peer::Args),
    /// Let another server lead
    TransferLeadership(transfer_leadership::Args),
}

/// A server, named in one of two ways.
#[derive(clap::Args, Debug)]
struct Which {
    /// The server's id, as `operator raft list-peers` shows it
    #[arg(long, value_name = "ID", conflicts_with = "peer_address")]
    peer_id: Option<String>,
    /// The server's RPC address, HOST:PORT
    #[arg(long, value_name = "ADDRESS")]
    peer_address: Option<String>,
}

impl Which {
    fn query(&self) -> Result<(&'static str, &str)> {
        match (&self.peer_id, &self.peer_address) {
            (Some(id), _) => Ok(("id", id)),
            (None, Some(address)) => Ok(("address", address)),
            (None, None) => bail!("name a server with -peer-id or -peer-address"),
        }
    }
}

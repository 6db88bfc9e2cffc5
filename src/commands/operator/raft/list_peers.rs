//! `drover operator raft list-peers`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{Shown, Table},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    shown: Shown,
    /// Ask the agent itself, although it may not be the leader
    #[arg(long)]
    stale: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let configuration = client.raft_configuration(self.stale).await?.data;
            if self.shown.print(&configuration)? {
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(["Node", "ID", "Address", "State", "Voter", "RaftProtocol"]);
            for server in configuration.servers {
                let state = if server.leader { "leader" } else { "follower" }.to_owned();
                table.row([server.node, server.id, server.address, state, server.voter.to_string(), server.raft_protocol]);
            }
            table.print();
            Ok(Exit::Ok)
        })
    }
}

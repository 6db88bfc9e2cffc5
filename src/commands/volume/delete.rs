//! `drover volume delete`

use anyhow::Result;

use super::{HOST, check_type, find};
use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The volume's id, or its beginning
    id: String,
    /// The volume's type
    #[arg(long = "type", value_name = "TYPE", default_value = HOST)]
    kind: String,
    /// Also when its node cannot be asked to remove what is there
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        check_type(&self.kind)?;
        let client = reach.client()?;
        block_on(async {
            let id = find(&client, &self.id).await?;
            client.delete_host_volume(&id, self.force).await?;
            println!("Successfully deleted volume {id:?}!");
            Ok(Exit::Ok)
        })
    }
}

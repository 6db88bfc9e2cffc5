//! `drover node pool delete`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The pool's name
    name: String,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            client.delete_node_pool(&self.name).await?;
            println!("Successfully deleted node pool {:?}!", self.name);
            Ok(Exit::Ok)
        })
    }
}

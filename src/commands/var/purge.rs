//! `drover var purge`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The path
    path: String,
    /// Only when its index is this
    #[arg(long, value_name = "INDEX")]
    check_index: Option<u64>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            client.variable_delete(&self.path, self.check_index).await.map_err(|error| super::refused(&self.path, error))?;
            println!("Successfully purged variable \"{}\"!", self.path);
            Ok(Exit::Ok)
        })
    }
}

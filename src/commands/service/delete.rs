//! `drover service delete`

use anyhow::Result;
use drover_api::segment;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

/// For what nobody takes away any more: a client that runs registers its services again
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The service's name
    service: String,
    /// The instance's id, as `service info -json` shows it
    id: String,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let path = format!("/v1/service/{}/{}", segment(&self.service), segment(&self.id));
            client.delete::<serde_json::Value>(&path, &[]).await?;
            println!("Successfully deleted service registration");
            Ok(Exit::Ok)
        })
    }
}

//! `drover var get`

use anyhow::{Context, Result};

use super::Out;
use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The path
    path: String,
    /// Print this item's value only
    #[arg(long, value_name = "KEY")]
    item: Option<String>,
    /// table or json
    #[arg(long, value_enum, default_value = "table", hide_default_value = true)]
    out: Out,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let found = client.variable_get(&self.path).await?;
            let found = found.with_context(|| format!("there is no variable {:?} in namespace {:?}", self.path, client.namespace()))?;
            match &self.item {
                Some(item) => {
                    let value = found.items.get(item).with_context(|| format!("{} has no item {item:?}", self.path))?;
                    println!("{}", value.expose());
                }
                None => super::print(&found, self.out)?,
            }
            Ok(Exit::Ok)
        })
    }
}

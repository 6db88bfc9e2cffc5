//! `drover secret get`

use anyhow::{Context, Result};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{Shown, Table},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The path
    path: String,
    /// Print this field only
    #[arg(long)]
    field: Option<String>,
    /// This version instead of the newest
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    version: u64,
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let secret = client.secret_get(&self.path, self.version).await?.data;
            if self.shown.print(&secret)? {
                return Ok(Exit::Ok);
            }
            if let Some(field) = &self.field {
                let value = secret.data.get(field).with_context(|| format!("{} has no field {field:?}", self.path))?;
                println!("{}", value.expose());
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(["Key", "Value"]);
            for (key, value) in &secret.data {
                table.row([key.clone(), value.expose().to_owned()]);
            }
            table.print();
            Ok(Exit::Ok)
        })
    }
}

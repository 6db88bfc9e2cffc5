//! `drover secret list`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{Shown, Table, date},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Only paths that begin with this
    #[arg(default_value = "")]
    prefix: String,
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let secrets = client.secret_list(&self.prefix).await?;
            if self.shown.print(&secrets)? {
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(["Path", "Version", "Created"]);
            for secret in secrets {
                table.row([secret.path, secret.version.to_string(), date(secret.created)]);
            }
            if table.is_empty() {
                println!("No secrets found")
            } else {
                table.print()
            }
            Ok(Exit::Ok)
        })
    }
}

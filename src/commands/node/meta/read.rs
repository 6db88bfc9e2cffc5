//! `drover node meta read`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{Shown, Table, heading},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The node's id, or the start of it (default: the agent's own node)
    #[arg(long, value_name = "NODE")]
    node_id: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::target(&client, self.node_id.as_deref()).await?;
            let meta = client.node_meta(id.as_deref()).await?.data;
            if self.shown.print(&meta)? {
                return Ok(Exit::Ok);
            }
            heading("All Meta", reach.colours());
            table(meta.meta.into_iter());
            heading("Dynamic Meta", reach.colours());
            table(meta.dynamic.into_iter().map(|(key, value)| (key, value.unwrap_or_else(|| "<unset>".to_owned()))));
            heading("Static Meta", reach.colours());
            table(meta.configured.into_iter());
            Ok(Exit::Ok)
        })
    }
}

fn table(labels: impl Iterator<Item = (String, String)>) {
    let mut table = Table::new(["Key", "Value"]);
    labels.for_each(|(key, value)| table.row([key, value]));
    if table.is_empty() {
        println!("<none>");
    } else {
        table.print();
    }
}

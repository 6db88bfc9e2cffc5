//! `drover node meta apply`

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

/// Labels that are set outlive the agent. Jobs ask for them with `${meta.KEY}`
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The node's id, or the start of it (default: the agent's own node)
    #[arg(long, value_name = "NODE")]
    node_id: Option<String>,
    /// Labels to take away, separated by commas
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    unset: Vec<String>,
    /// Labels to set; KEY= takes one away
    #[arg(value_name = "KEY=VALUE")]
    labels: Vec<String>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let mut meta: BTreeMap<String, Option<String>> = self.unset.into_iter().map(|key| (key, None)).collect();
        for pair in self.labels {
            let Some((key, value)) = pair.split_once('=') else { bail!("{pair:?}: write a label as KEY=VALUE") };
            meta.insert(key.to_owned(), Some(value.to_owned()).filter(|value| !value.is_empty()));
        }
        if meta.is_empty() {
            bail!("name labels to set as KEY=VALUE, or to take away with -unset");
        }
        let client = reach.client()?;
        block_on(async {
            let id = super::target(&client, self.node_id.as_deref()).await?;
            client.apply_node_meta(id.as_deref(), &meta).await?;
            Ok(Exit::Ok)
        })
    }
}

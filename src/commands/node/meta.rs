//! `drover node meta ...`

pub(crate) mod apply;
pub(crate) mod read;

use anyhow::Result;
use drover_api::Client;

use crate::verbs;

verbs! {
    /// Set labels of a node that runs, or take them away
    Apply(apply::Args),
    /// Show the labels of a node
    Read(read::Args),
}

/// The whole id of the node that is meant; none is the agent's own.
async fn target(client: &Client, prefix: Option<&str>) -> Result<Option<String>> {
    match prefix {
        None => Ok(None),
        Some(prefix) => Ok(Some(super::find(client, prefix).await?.id.to_string())),
    }
}

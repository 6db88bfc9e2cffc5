//! `drover node ...`

pub(crate) mod config;
pub(crate) mod drain;
pub(crate) mod eligibility;
pub(crate) mod meta;
pub(crate) mod pool;
pub(crate) mod status;

use anyhow::Result;
use drover_api::Client;
use drover_model::view::NodeStub;

use crate::{context, verbs};

verbs! {
    /// Show nodes, or one node with its allocations
    Status(status::Args),
    /// Move everything off a node
    Drain(drain::Args),
    /// Show or change which servers a client knows
    Config(config::Args),
    /// Show or change the labels of a node
    #[command(subcommand)]
    Meta(meta::Command),
    /// Divide nodes into pools
    #[command(subcommand)]
    Pool(pool::Command),
    /// Let a node take new work, or not
    Eligibility(eligibility::Args),
}

/// The one node that `prefix` means.
pub(crate) async fn find(client: &Client, prefix: &str) -> Result<NodeStub> {
    let nodes = client.nodes(context::even(prefix)).await?.data;
    let matching = nodes.into_iter().filter(|node| node.id.to_string().starts_with(prefix)).collect();
    context::unique("node", prefix, matching, |node: &NodeStub| node.id.to_string())
}

//! `drover node pool ...`

pub(crate) mod apply;
pub(crate) mod delete;
pub(crate) mod info;
pub(crate) mod jobs;
pub(crate) mod list;
pub(crate) mod nodes;

use crate::verbs;

verbs! {
    /// Make a node pool, or change one
    Apply(apply::Args),
    /// List node pools
    List(list::Args),
    /// Show a node pool
    Info(info::Args),
    /// List the nodes of a pool
    Nodes(nodes::Args),
    /// List the jobs of a pool
    Jobs(jobs::Args),
    /// Remove a node pool without nodes and jobs
    Delete(delete::Args),
}

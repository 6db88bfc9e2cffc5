//! `drover namespace ...`

pub(crate) mod apply;
pub(crate) mod delete;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod status;

use crate::verbs;

verbs! {
    /// Make a namespace, or change one
    Apply(apply::Args),
    /// List namespaces
    List(list::Args),
    /// Show a namespace and what its jobs may use
    Status(status::Args),
    /// Print a namespace as JSON
    Inspect(inspect::Args),
    /// Remove a namespace in which nothing runs
    Delete(delete::Args),
}

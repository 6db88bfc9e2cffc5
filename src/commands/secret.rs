//! `drover secret ...`

pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod put;

use crate::verbs;

verbs! {
    /// Write a secret: a new version of it
    Put(put::Args),
    /// Print a secret
    Get(get::Args),
    /// List the paths of secrets
    List(list::Args),
    /// Delete a secret with all its versions
    Delete(delete::Args),
}

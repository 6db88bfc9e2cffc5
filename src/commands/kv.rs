//! `drover kv ...`

pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod put;

use crate::verbs;

verbs! {
    /// Write a key
    Put(put::Args),
    /// Print a key's value
    Get(get::Args),
    /// List keys
    List(list::Args),
    /// Delete a key, or all below it
    Delete(delete::Args),
}

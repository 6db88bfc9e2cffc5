//! `drover service ...`

pub(crate) mod delete;
pub(crate) mod info;
pub(crate) mod list;

use crate::verbs;

verbs! {
    /// List services
    List(list::Args),
    /// Show a service's instances
    Info(info::Args),
    /// Take one instance of a service out of the catalogue
    Delete(delete::Args),
}

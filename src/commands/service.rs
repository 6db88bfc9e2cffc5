//! `drover service ...`

pub(crate) mod info;
pub(crate) mod list;

use crate::verbs;

verbs! {
    /// List services
    List(list::Args),
    /// Show a service's instances
    Info(info::Args),
}

//! `drover server ...`

pub(crate) mod members;

use crate::verbs;

verbs! {
    /// List the servers
    Members(members::Args),
}

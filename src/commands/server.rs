//! `drover server ...`

pub(crate) mod force_leave;
pub(crate) mod join;
pub(crate) mod members;

use crate::verbs;

verbs! {
    /// Take a server that is gone for good out of the cluster
    ForceLeave(force_leave::Args),
    /// Let the server that is asked join the cluster of others
    Join(join::Args),
    /// List the servers
    Members(members::Args),
}

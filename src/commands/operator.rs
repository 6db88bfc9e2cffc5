//! `drover operator ...`

pub(crate) mod api;
pub(crate) mod autopilot;
pub(crate) mod raft;

use crate::verbs;

verbs! {
    /// Call any path of the API and print the answer
    Api(api::Args),
    /// How the servers look after each other
    Autopilot(autopilot::Args),
    /// Who takes part in consensus, and who leads
    Raft(raft::Args),
}

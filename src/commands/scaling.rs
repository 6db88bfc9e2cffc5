//! `drover scaling ...`

pub(crate) mod policy;

use crate::verbs;

verbs! {
    /// See what jobs say of how autoscalers may scale them
    #[command(subcommand)]
    Policy(policy::Command),
}

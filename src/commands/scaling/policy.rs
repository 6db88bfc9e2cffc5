//! `drover scaling policy ...`

pub(crate) mod info;
pub(crate) mod list;

use drover_model::view::ScalingTarget;

use crate::verbs;

verbs! {
    /// List scaling policies
    List(list::Args),
    /// Show one scaling policy
    Info(info::Args),
}

/// `Namespace:default,Job:web,Group:api`
fn target(target: &ScalingTarget) -> String {
    let task = if target.task.is_empty() { String::new() } else { format!(",Task:{}", target.task) };
    format!("Namespace:{},Job:{},Group:{}{task}", target.namespace, target.job, target.group)
}

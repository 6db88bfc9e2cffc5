//! How two states differ. What they share is not looked at, so it costs what has changed, however large they are.

use std::sync::Arc;

use drover_model::{
    allocation::Allocation, deployment::Deployment, evaluation::Evaluation, job::Job, namespace::NodePool, node::Node, quota::StoredQuota,
    service::ServiceRegistration, variable::StoredVariable, volume::Volume,
};

use super::{Change, State};

macro_rules! changes {
    ($($name:ident($table:ident): $row:ty;)+) => {
        impl State {$(
            pub fn $name<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = Change<&'a Arc<$row>>> {
                self.$table.changes_since(&before.$table)
            }
        )+}
    };
}

changes! {
    changed_jobs(jobs): Job;
    changed_allocations(allocations): Allocation;
    changed_evaluations(evaluations): Evaluation;
    changed_deployments(deployments): Deployment;
    changed_services(services): ServiceRegistration;
    changed_variables(variables): StoredVariable;
    changed_node_pools(node_pools): NodePool;
    changed_quotas(quotas): StoredQuota;
    changed_volumes(volumes): Volume;
}

impl State {
    pub fn changed_nodes<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = Change<&'a Arc<Node>>> {
        self.nodes.changes_since(&before.nodes).map(|change| change.map(|(node, _)| node))
    }
}

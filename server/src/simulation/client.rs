//! The nodes' part of a story: allocations start, are found healthy, end and fail, as far as their node can be heard.

use std::collections::{BTreeMap, BTreeSet};

use drover_model::{
    allocation::{AllocDeploymentStatus, Allocation, AllocationReport, ClientStatus},
    ids::{AllocId, NodeId},
    job::JobType,
};

use super::cluster::Cluster;
use crate::{fsm::command::Command, node_rpc};

/// What clients know that servers do not.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// Nodes that cannot be heard.
    pub(super) away: BTreeSet<NodeId>,
    /// How each allocation fares on its node, which the servers hear of when they can.
    pub(super) fares: BTreeMap<AllocId, ClientStatus>,
    /// In each of a hundred cases an allocation fails at a step.
    pub(super) failures: u64,
}

impl Clients {
    /// One step of every node that can be heard, and the reports of it.
    pub(super) fn step(&mut self, cluster: &mut Cluster) {
        let nodes: Vec<NodeId> = cluster.state().nodes().map(|node| node.id).filter(|id| !self.away.contains(id)).collect();
        for node in nodes {
            let allocations: Vec<_> = cluster.state().allocations_of_node(node).cloned().collect();
            let reports: Vec<_> = allocations.iter().filter_map(|allocation| self.report(cluster, allocation)).collect();
            if !reports.is_empty() {
                let evaluations = node_rpc::follow_ups(cluster.state(), &reports, &cluster.dice);
                cluster.run(Command::AllocationsReport { node_id: node, reports, evaluations });
            }
        }
    }

    /// A node is switched on again: what ran there does not.
    pub(super) fn reboot(&mut self, cluster: &Cluster, node: NodeId) {
        for allocation in cluster.state().allocations_of_node(node) {
            let fares = self.fares.entry(allocation.id).or_insert(ClientStatus::Failed);
            if !fares.is_terminal() {
                *fares = ClientStatus::Failed;
            }
        }
    }

    fn report(&mut self, cluster: &Cluster, allocation: &Allocation) -> Option<AllocationReport> {
        let fares = self.fares.get(&allocation.id).copied().unwrap_or(ClientStatus::Pending);
        let next = self.next(cluster, allocation, fares);
        self.fares.insert(allocation.id, next);
        let watched = allocation.deployment_id.is_some() && allocation.is_healthy().is_none();
        let healthy = match next {
            ClientStatus::Running if watched && fares == ClientStatus::Running && cluster.dice.chance(70) => Some(!self.is_bad(allocation)),
            ClientStatus::Failed if watched => Some(false),
            _ => None,
        };
        if next == allocation.client_status && healthy.is_none() {
            return None;
        }
        let deployment_status = healthy.map(|healthy| AllocDeploymentStatus {
            healthy: Some(healthy),
            timestamp: cluster.now().into(),
            ..AllocDeploymentStatus::default()
        });
        Some(AllocationReport { id: Some(allocation.id), client_status: next, deployment_status, ..AllocationReport::default() })
    }

    /// Versions with this mark never become healthy while there are faults.
    fn is_bad(&self, allocation: &Allocation) -> bool {
        self.failures > 0 && allocation.job.meta.contains_key("bad")
    }

    fn next(&self, cluster: &Cluster, allocation: &Allocation, fares: ClientStatus) -> ClientStatus {
        match fares {
            ClientStatus::Pending | ClientStatus::Running if allocation.is_server_terminal() => {
                // Stopping takes its time.
                if cluster.dice.chance(60) { ClientStatus::Complete } else { fares }
            }
            ClientStatus::Pending => {
                if cluster.dice.chance(80) {
                    ClientStatus::Running
                } else {
                    ClientStatus::Pending
                }
            }
            ClientStatus::Running if cluster.dice.chance(self.failures) => ClientStatus::Failed,
            ClientStatus::Running if matches!(allocation.job.kind, JobType::Batch | JobType::Sysbatch) && cluster.dice.chance(10) => {
                ClientStatus::Complete
            }
            other => other,
        }
    }
}

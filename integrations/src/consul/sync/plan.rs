//! What to write, from what is wanted and what the agent has. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use drover_model::ids::AllocId;

use super::super::agent::{AgentCheck, AgentService, NODE_META, meta_of};
use crate::registry::{Service, allocation_of};

/// What every check id of ours begins with.
const CHECK_ID_PREFIX: &str = "_nomad-check-";

/// What the agent shall have.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    allocations: BTreeMap<AllocId, Vec<Arc<Service>>>,
    /// Allocations whose services go.
    leaving: BTreeSet<AllocId>,
    /// As the agent was last seen to have, or given, each service.
    written: BTreeMap<String, Arc<Service>>,
    /// Whether what is not wanted and is this node's may go.
    restored: bool,
}

impl Wanted {
    /// Whether that changes anything.
    pub(super) fn set(&mut self, allocation: AllocId, services: Vec<Arc<Service>>) -> bool {
        self.leaving.remove(&allocation);
        if self.allocations.get(&allocation) == Some(&services) {
            return false;
        }
        self.allocations.insert(allocation, services);
        true
    }

    /// Whether there may be something to take out.
    pub(super) fn leave(&mut self, allocation: AllocId) -> bool {
        let known = self.allocations.remove(&allocation).is_some();
        if known {
            self.leaving.insert(allocation);
        }
        known || self.leaving.contains(&allocation)
    }

    pub(super) fn restored(&mut self) {
        self.restored = true;
    }

    /// Whether a service is not wanted, as far as everything has been declared.
    pub(super) fn may_let_go(&self, id: &str) -> bool {
        self.restored && !self.allocations.values().flatten().any(|service| service.id == id)
    }

    /// The agent has no service of this allocation any more.
    pub(super) fn forget(&mut self, allocation: AllocId) {
        self.leaving.remove(&allocation);
    }

    pub(super) fn note_written(&mut self, service: Arc<Service>) {
        self.written.insert(service.id.clone(), service);
    }

    pub(super) fn note_removed(&mut self, id: &str) {
        self.written.remove(id);
    }

    /// Whether the agent has all services of an allocation, as far as is known.
    pub(super) fn is_written(&self, allocation: AllocId) -> bool {
        self.allocations
            .get(&allocation)
            .is_some_and(|services| services.iter().all(|service| self.written.get(&service.id) == Some(service)))
    }

    pub(super) fn services(&self, allocation: AllocId) -> &[Arc<Service>] {
        self.allocations.get(&allocation).map_or(&[], Vec::as_slice)
    }

    /// Consul's own namespaces that there is something in. The cluster's is the empty one, and always among them.
    pub(super) fn namespaces(&self) -> BTreeSet<String> {
        let present = self.allocations.values().flatten();
        let named = present.chain(self.written.values()).map(|service| service.consul_namespace.clone());
        named.chain([String::new()]).collect()
    }

    /// The service that a check belongs to.
    pub(super) fn owner_of(&self, check: &str) -> Option<Arc<Service>> {
        self.allocations.values().flatten().find(|service| service.checks.iter().any(|own| own.id == check)).map(Arc::clone)
    }

    fn by_id(&self) -> BTreeMap<&str, &Arc<Service>> {
        self.allocations.values().flatten().map(|service| (service.id.as_str(), service)).collect()
    }
}

/// One write to the agent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Write {
    Register(Arc<Service>),
    /// By id and Consul namespace.
    Deregister(String, String),
    /// As above, with the service that the check belongs to first.
    DeregisterCheck {
        service: String,
        check: String,
        namespace: String,
    },
}

impl Write {
    /// Whose service it is about.
    pub(super) fn allocation(&self) -> Option<AllocId> {
        match self {
            Self::Register(service) => allocation_of(&service.id),
            Self::Deregister(id, _) => allocation_of(id),
            Self::DeregisterCheck { .. } => None,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Registrations first: what replaces a service stands before it goes.
    pub(super) writes: Vec<Write>,
    /// What the agent has already, though nobody here wrote it in this run.
    pub(super) in_sync: Vec<Arc<Service>>,
    /// Allocations that are gone once the writes are done.
    pub(super) leaving: Vec<AllocId>,
}

/// Compares what is wanted of `node` with what the agent has.
///
/// `again` are services to register whether or not they differ: their token is to be replaced.
pub(super) fn plan(
    wanted: &Wanted,
    node: &str,
    services: &BTreeMap<String, AgentService>,
    checks: &BTreeMap<String, AgentCheck>,
    again: &BTreeSet<String>,
) -> Plan {
    let by_id = wanted.by_id();
    let mut plan = Plan { leaving: wanted.leaving.iter().copied().collect(), ..Plan::default() };
    for service in by_id.values() {
        let written = wanted.written.get(&service.id);
        let changed_here = again.contains(&service.id) || written.is_some_and(|written| written != *service);
        if !changed_here && services.get(&service.id).is_some_and(|found| is_same(service, node, found, checks)) {
            if written.is_none() {
                plan.in_sync.push(Arc::clone(service));
            }
        } else {
            plan.writes.push(Write::Register(Arc::clone(service)));
        }
    }
    for (id, found) in services {
        if !by_id.contains_key(id.as_str()) && is_to_go(wanted, node, id, found) {
            plan.writes.push(Write::Deregister(id.clone(), found.namespace.clone()));
        }
    }
    for (id, found) in checks {
        let owner = by_id.get(found.service_id.as_str());
        if id.starts_with(CHECK_ID_PREFIX) && owner.is_some_and(|service| service.checks.iter().all(|check| check.id != *id)) {
            let (service, namespace) = (found.service_id.clone(), found.namespace.clone());
            plan.writes.push(Write::DeregisterCheck { service, check: id.clone(), namespace });
        }
    }
    plan
}

/// Whether a service that is not wanted is ours to take out.
fn is_to_go(wanted: &Wanted, node: &str, id: &str, found: &AgentService) -> bool {
    let Some(allocation) = allocation_of(id) else { return false };
    if wanted.leaving.contains(&allocation) || wanted.allocations.contains_key(&allocation) {
        return true;
    }
    wanted.restored && found.meta.get(NODE_META).is_some_and(|owner| owner == node)
}

/// Whether the agent has `service` as it should be. How its checks are made cannot be asked, only whether they are there.
pub(in crate::consul) fn is_same(service: &Service, node: &str, found: &AgentService, checks: &BTreeMap<String, AgentCheck>) -> bool {
    // Somebody else may change the tags when the job allows it.
    let same_tags = service.enable_tag_override || found.tags == service.tags;
    let same_weights = service
        .weights
        .is_none_or(|(passing, warning)| found.weights.passing == i64::from(passing) && found.weights.warning == i64::from(warning));
    // Consul adds addresses of its own, so only ours are compared.
    let same_addresses = service.tagged_addresses.iter().all(|(tag, (address, port))| {
        found.tagged_addresses.get(tag).is_some_and(|found| found.address == *address && found.port == *port)
    });
    found.service == service.name
        && found.address == service.address
        && found.port == service.port
        && found.enable_tag_override == service.enable_tag_override
        && found.meta == meta_of(service, node)
        && same_tags
        && same_weights
        && same_addresses
        && service.checks.iter().all(|check| checks.get(&check.id).is_some_and(|found| found.service_id == service.id))
}

#[cfg(test)]
mod tests;

//! The servers' own catalogue.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use drover_model::{
    ids::Name,
    rpc::{
        Error, Read,
        node::{NodeReportReply, ServiceInstances, ServiceName, ServiceNames, ServicesRemove, ServicesUpsert},
    },
    service::{CheckStatus, ServiceRegistration},
};

use super::{Stores, access::authenticate};
use crate::{
    fsm::command::Command,
    state::{State, TableId},
};

/// Instances in one message.
const UPSERT_LIMIT: usize = 1024;

/// Whether a node asks that knows its secret, and only for allocations that run on it.
fn may_upsert(state: &State, request: &ServicesUpsert) -> Result<(), Error> {
    let node = authenticate(state, &request.auth)?;
    if request.services.len() > UPSERT_LIMIT {
        return Err(Error::bad_request(format!("more than {UPSERT_LIMIT} services in one message")));
    }
    for service in &request.services {
        let runs_here = state.allocation(service.alloc_id).is_some_and(|allocation| allocation.node_id == node.id);
        let is_anothers = state.service(&service.id).is_some_and(|known| known.node_id != node.id);
        if !runs_here || service.node_id != node.id || is_anothers {
            return Err(Error::forbidden());
        }
    }
    Ok(())
}

impl Stores {
    /// Registers instances of allocations that run on the calling node.
    pub async fn services_upsert(&self, request: ServicesUpsert) -> Result<NodeReportReply, Error> {
        may_upsert(&self.state.snapshot(), &request)?;
        let index = self.propose.propose(Command::ServicesUpsert { services: request.services }).await?.accepted()?;
        Ok(NodeReportReply { index })
    }

    /// Takes instances of the calling node out. One that is not there is no error.
    pub async fn services_remove(&self, request: ServicesRemove) -> Result<NodeReportReply, Error> {
        let ids: Vec<String> = {
            let state = self.state.snapshot();
            let node = authenticate(&state, &request.auth)?;
            request.ids.into_iter().filter(|id| state.service(id).is_none_or(|known| known.node_id == node.id)).collect()
        };
        let index = self.propose.propose(Command::ServicesRemove { ids }).await?.accepted()?;
        Ok(NodeReportReply { index })
    }

    pub async fn service_instances(&self, request: ServiceInstances) -> Result<Read<Vec<Arc<ServiceRegistration>>>, Error> {
        let name: Name = request.name.as_str().into();
        let fits = |service: &&Arc<ServiceRegistration>| !request.healthy || service.health == CheckStatus::Passing;
        let look = |state: &State| {
            let found: Vec<_> = if request.options.all_namespaces() {
                state.services().filter(|service| service.service_name == name).filter(fits).cloned().collect()
            } else {
                state.service_instances(&request.options.namespace, &name).filter(fits).cloned().collect()
            };
            Ok((None, found))
        };
        self.read(TableId::Services, &request.options, look).await
    }

    pub async fn service_names(&self, request: ServiceNames) -> Result<Read<Vec<ServiceName>>, Error> {
        let options = &request.options;
        let look = |state: &State| {
            let mut tags: BTreeMap<(Name, Name), BTreeSet<String>> = BTreeMap::new();
            for service in state.services() {
                if options.all_namespaces() || service.namespace == options.namespace {
                    let named = tags.entry((service.namespace.clone(), service.service_name.clone())).or_default();
                    named.extend(service.tags.iter().cloned());
                }
            }
            let names = tags.into_iter().map(|((namespace, name), tags)| ServiceName { namespace, name, tags: tags.into_iter().collect() });
            Ok((None, names.collect()))
        };
        self.read(TableId::Services, options, look).await
    }
}

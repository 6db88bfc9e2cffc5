//! The servers' catalogue, in the terms of Consul's.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{
    rpc::node::{ServiceInstances, ServiceNames},
    service::{CheckStatus, ServiceRegistration},
};
use futures::future::BoxFuture;

use super::{ServerCalls, answer, ask, options, unsupported};
use crate::{
    Answer, Catalogue, Query, Result,
    catalogue::{
        CheckEntry, ExportedService, ImportedService, Instance, MeshLeaf, MeshRoot, Node, NodeServices, Partition, Peering, ServiceEntry,
        ServiceFilter, ServiceName,
    },
};

#[derive(Debug)]
pub(super) struct EmbeddedCatalogue {
    pub(super) calls: Arc<dyn ServerCalls>,
    pub(super) namespace: Option<String>,
}

impl EmbeddedCatalogue {
    fn options(&self, query: &Query) -> drover_model::rpc::ReadOptions {
        let mut options = options(query);
        let namespace = query.scope.namespace.as_deref().or(self.namespace.as_deref());
        if let Some(namespace) = namespace.filter(|name| !name.is_empty()) {
            options.namespace = namespace.into();
        }
        options
    }
}

impl Catalogue for EmbeddedCatalogue {
    fn service<'a>(&'a self, name: &'a str, filter: &'a ServiceFilter, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<Instance>>>> {
        Box::pin(async move {
            if filter.mesh {
                return Err(unsupported("the mesh"));
            }
            let request = ServiceInstances { options: self.options(query), name: name.to_owned(), healthy: filter.passing };
            let read = ask("the read of a service", query, self.calls.service_instances(request)).await?;
            Ok(answer(read).map(|found| {
                let has_tag = |found: &&Arc<ServiceRegistration>| filter.tag.as_ref().is_none_or(|tag| found.tags.contains(tag));
                let mut instances: Vec<Instance> = found.iter().filter(has_tag).map(|found| instance(found)).collect();
                instances.sort_by(|a, b| (&a.node.node, &a.service.id).cmp(&(&b.node.node, &b.service.id)));
                instances
            }))
        })
    }

    fn services<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<ServiceName>>>> {
        Box::pin(async move {
            let request = ServiceNames { options: self.options(query) };
            let read = ask("the read of services", query, self.calls.service_names(request)).await?;
            Ok(answer(read).map(|names| {
                let mut tags: BTreeMap<String, Vec<String>> = BTreeMap::new();
                for found in names {
                    tags.entry(found.name.to_string()).or_default().extend(found.tags);
                }
                let sorted = tags.into_iter().map(|(name, mut tags)| {
                    tags.sort();
                    tags.dedup();
                    ServiceName { name, tags }
                });
                sorted.collect()
            }))
        })
    }

    fn nodes<'a>(&'a self, _: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<Node>>>> {
        Box::pin(async { Err(unsupported("a list of nodes")) })
    }

    fn node<'a>(&'a self, _: Option<&'a str>, _: &'a Query) -> BoxFuture<'a, Result<Answer<Option<NodeServices>>>> {
        Box::pin(async { Err(unsupported("a node with its services")) })
    }

    fn datacenters(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async { Err(unsupported("a list of datacenters")) })
    }

    fn mesh_roots<'a>(&'a self, _: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<MeshRoot>>>> {
        Box::pin(async { Err(unsupported("the mesh")) })
    }

    fn mesh_leaf<'a>(&'a self, _: &'a str, _: &'a Query) -> BoxFuture<'a, Result<Answer<MeshLeaf>>> {
        Box::pin(async { Err(unsupported("the mesh")) })
    }

    fn partitions<'a>(&'a self, _: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<Partition>>>> {
        Box::pin(async { Err(unsupported("a list of partitions")) })
    }

    fn peerings<'a>(&'a self, _: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<Peering>>>> {
        Box::pin(async { Err(unsupported("a list of peerings")) })
    }

    fn exported_services<'a>(&'a self, _: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<ExportedService>>>> {
        Box::pin(async { Err(unsupported("a list of exported services")) })
    }

    fn imported_services<'a>(&'a self, _: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<ImportedService>>>> {
        Box::pin(async { Err(unsupported("a list of imported services")) })
    }
}

/// A row of the servers' catalogue as Consul would show it: with one check that stands for all.
fn instance(found: &ServiceRegistration) -> Instance {
    let node_id = found.node_id.to_string();
    let check = CheckEntry {
        node: node_id.clone(),
        check_id: format!("health-{}", found.id),
        name: "all checks".to_owned(),
        status: found.health,
        output: if found.health == CheckStatus::Passing { String::new() } else { "a check does not pass".to_owned() },
        service_id: found.id.clone(),
        service_name: found.service_name.to_string(),
        service_tags: found.tags.0.clone(),
        ..CheckEntry::default()
    };
    Instance {
        node: Node {
            id: node_id.clone(),
            node: node_id,
            address: found.address.clone(),
            datacenter: found.datacenter.clone(),
            ..Node::default()
        },
        service: ServiceEntry {
            id: found.id.clone(),
            service: found.service_name.to_string(),
            tags: found.tags.0.clone(),
            address: found.address.clone(),
            port: found.port,
            meta: found.meta.0.clone(),
            ..ServiceEntry::default()
        },
        checks: vec![check],
    }
}

//! The catalogue, read.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use serde::Deserialize;

use super::{Consul, unsupported};
use crate::{
    Access, Answer, Catalogue, Query, Result,
    catalogue::{
        ExportedService, ImportedService, Instance, MeshLeaf, MeshRoot, Node, NodeServices, Partition, Peering, ServiceEntry,
        ServiceFilter, ServiceName,
    },
    http::{Call, encode},
};

mod federation;

#[derive(Debug)]
pub(super) struct ConsulCatalogue {
    pub(super) consul: Consul,
    pub(super) access: Access,
}

impl ConsulCatalogue {
    fn consul(&self) -> Consul {
        self.consul.acting_as(&self.access)
    }
}

/// The answer about one node.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NodeAnswer {
    node: Node,
    services: BTreeMap<String, ServiceEntry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RootsAnswer {
    roots: Vec<MeshRoot>,
}

impl Catalogue for ConsulCatalogue {
    fn service<'a>(&'a self, name: &'a str, filter: &'a ServiceFilter, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<Instance>>>> {
        Box::pin(async move {
            let kind = if filter.mesh { "connect" } else { "service" };
            let mut parameters = Vec::new();
            if filter.passing {
                parameters.push(("passing", "1"));
            }
            if let Some(tag) = &filter.tag {
                parameters.push(("tag", tag.as_str()));
            }
            let path = format!("/v1/health/{kind}/{}", encode(name, ""));
            let mut answer: Answer<Vec<Instance>> = self.consul().ask(&path, query, &parameters, None).await?;
            // Consul sorts by distance when asked to; otherwise its order is no order, and a rendered file would change for nothing.
            if query.scope.near.is_none() {
                answer.data.sort_by(|a, b| (&a.node.node, &a.service.id).cmp(&(&b.node.node, &b.service.id)));
            }
            Ok(answer)
        })
    }

    fn services<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<ServiceName>>>> {
        Box::pin(async move {
            let answer: Answer<BTreeMap<String, Vec<String>>> = self.consul().ask("/v1/catalog/services", query, &[], None).await?;
            Ok(answer.map(|services| {
                let named = services.into_iter().map(|(name, mut tags)| {
                    tags.sort();
                    ServiceName { name, tags }
                });
                named.collect()
            }))
        })
    }

    fn nodes<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<Node>>>> {
        Box::pin(async move {
            let mut answer: Answer<Vec<Node>> = self.consul().ask("/v1/catalog/nodes", query, &[], None).await?;
            if query.scope.near.is_none() {
                answer.data.sort_by(|a, b| (&a.node, &a.address).cmp(&(&b.node, &b.address)));
            }
            Ok(answer)
        })
    }

    fn node<'a>(&'a self, name: Option<&'a str>, query: &'a Query) -> BoxFuture<'a, Result<Answer<Option<NodeServices>>>> {
        Box::pin(async move {
            let consul = self.consul();
            let own;
            let name = match name {
                Some(name) => name,
                None => {
                    own = consul.describe().await?.config.node_name;
                    &own
                }
            };
            let path = format!("/v1/catalog/node/{}", encode(name, ""));
            let answer: Answer<Option<NodeAnswer>> = consul.ask(&path, query, &[], Some(None)).await?;
            Ok(answer.map(|found| {
                found.map(|found| {
                    let mut services: Vec<_> = found.services.into_values().collect();
                    services.sort_by(|a, b| (&a.service, &a.id).cmp(&(&b.service, &b.id)));
                    NodeServices { node: found.node, services }
                })
            }))
        })
    }

    fn datacenters(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async move { self.consul().get(Call::get("/v1/catalog/datacenters")).await })
    }

    fn mesh_roots<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<MeshRoot>>>> {
        Box::pin(async move {
            let answer: Answer<RootsAnswer> = self.consul().ask("/v1/agent/connect/ca/roots", query, &[], None).await?;
            Ok(answer.map(|answer| answer.roots))
        })
    }

    fn mesh_leaf<'a>(&'a self, service: &'a str, query: &'a Query) -> BoxFuture<'a, Result<Answer<MeshLeaf>>> {
        Box::pin(async move {
            let consul = self.consul();
            let path = format!("/v1/agent/connect/ca/leaf/{}", encode(service, ""));
            match consul.ask(&path, query, &[], None).await {
                Err(error) if error.is_unknown_call() => Err(unsupported(&consul, "a certificate of the mesh (Connect is off)")),
                answer => answer,
            }
        })
    }

    fn partitions<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<Partition>>>> {
        Box::pin(self.list_partitions(query))
    }

    fn peerings<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<Peering>>>> {
        Box::pin(self.list_peerings(query))
    }

    fn exported_services<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<ExportedService>>>> {
        Box::pin(self.list_exported(query))
    }

    fn imported_services<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<ImportedService>>>> {
        Box::pin(self.list_imported(query))
    }
}

//! Questions to Consul and to the servers that can wait for a change.

use std::sync::Arc;

use drover_integrations::{Access, Answer, ConsulCluster, Query, Result, catalogue::ServiceFilter};
use drover_model::rpc::{
    ReadOptions,
    node::{ServiceInstances, ServiceNames, WorkloadAuth},
    variable::{WorkloadVariableGet, WorkloadVariableList},
};
use drover_template::{Data, Dependency, Scope};
use futures::future::BoxFuture;

use super::{convert, watcher::Watcher};

/// Asks once. The query says whether to wait.
pub(super) type Ask = Box<dyn Fn(Query) -> BoxFuture<'static, Result<Answer<Data>>> + Send + Sync>;

fn scoped(query: Query, scope: &Scope) -> Query {
    let Scope { datacenter, namespace, partition, peer, sameness_group, near } = scope.clone();
    query.scoped(drover_integrations::Scope { datacenter, namespace, partition, peer, sameness_group, near })
}

/// A cluster and on whose behalf it is asked. The token is read anew for every question.
#[derive(Clone)]
struct Asker {
    cluster: Arc<dyn ConsulCluster>,
    access: Access,
}

impl Watcher {
    pub(super) fn consul(&self) -> Option<Arc<dyn ConsulCluster>> {
        let name = Some(self.task.consul.cluster.as_str()).filter(|name| !name.is_empty()).unwrap_or("default");
        self.neighbours.consul.get(name).map(Arc::clone)
    }

    pub(super) fn consul_access(&self) -> Access {
        Access {
            alloc_id: self.task.alloc_id,
            task: self.task.task.clone(),
            token: Some(self.task.consul_token.clone()),
            // `default` is the only one that Consul without namespaces has, and it does not want to hear of it.
            namespace: Some(self.task.consul.namespace.clone()).filter(|name| !matches!(name.as_str(), "" | "default")),
            partition: Some(self.task.consul.partition.clone()).filter(|name| !matches!(name.as_str(), "" | "default")),
        }
    }

    /// The question for a dependency, or why there is none.
    pub(super) fn question(&self, dependency: &Dependency) -> std::result::Result<Ask, String> {
        if let Some(region) = region(dependency).filter(|region| *region != self.task.region) {
            return Err(format!("{dependency}: region {region:?} cannot be asked from region {:?}", self.task.region));
        }
        self.within_reach(dependency)?;
        if let Some(ask) = self.native_question(dependency) {
            return Ok(ask);
        }
        let cluster = self.consul().ok_or_else(|| format!("no Consul named {:?} is configured", self.task.consul.cluster))?;
        let asker = Asker { cluster, access: self.consul_access() };
        Ok(match dependency.clone() {
            Dependency::KvGet { key, scope } => asker.key(key, scope),
            Dependency::KvList { prefix, scope } => asker.keys(prefix, scope),
            Dependency::Service { name, tag, filters, scope, connect } => asker.service(name, tag, filters, scope, connect),
            Dependency::Partitions
            | Dependency::Peerings { .. }
            | Dependency::ExportedServices { .. }
            | Dependency::ImportedServices { .. } => asker.federation(dependency)?,
            other => asker.rest(other)?,
        })
    }

    /// What the servers would refuse for as long as the task is this one need not be asked.
    fn within_reach(&self, dependency: &Dependency) -> std::result::Result<(), String> {
        let (Dependency::NomadVar { path, namespace, .. }, Some(reach)) = (dependency, &self.task.variables) else { return Ok(()) };
        let namespace = namespace.as_deref().unwrap_or(&self.task.namespace);
        if reach.includes(namespace, path) { Ok(()) } else { Err(reach.refusal(namespace, path)) }
    }

    /// Questions to the servers' own catalogue.
    fn native_question(&self, dependency: &Dependency) -> Option<Ask> {
        let calls = Arc::clone(&self.neighbours.calls);
        let namespace = self.task.namespace.clone();
        let node = self.neighbours.node.clone();
        let auth = WorkloadAuth { node, alloc_id: self.task.alloc_id, task: self.task.task.clone() };
        let options = move |query: &Query| ReadOptions {
            namespace: namespace.clone(),
            min_index: query.index,
            max_wait: (query.index > 0).then_some(query.wait),
            ..ReadOptions::default()
        };
        match dependency.clone() {
            Dependency::NomadService { name, tag, choose, .. } => Some(Box::new(move |query| {
                let (calls, tag, choose) = (Arc::clone(&calls), tag.clone(), choose.clone());
                let request = ServiceInstances { options: options(&query), name: name.clone(), healthy: true };
                Box::pin(async move {
                    let read = calls.service_instances(request).await.map_err(|error| convert::refusal("services.instances", &error))?;
                    let found = convert::nomad_service(&read.data, tag.as_deref(), choose.as_ref());
                    Ok(Answer { index: read.meta.index, data: Data::NomadService(found) })
                })
            })),
            Dependency::NomadServices { .. } => Some(Box::new(move |query| {
                let (calls, request) = (Arc::clone(&calls), ServiceNames { options: options(&query) });
                Box::pin(async move {
                    let read = calls.service_names(request).await.map_err(|error| convert::refusal("services.names", &error))?;
                    let names = read.data.into_iter().map(|name| (name.name.to_string(), name.tags));
                    Ok(Answer { index: read.meta.index, data: Data::Services(convert::service_names(names)) })
                })
            })),
            Dependency::NomadVar { path, namespace, .. } => Some(Box::new(move |query| {
                let (calls, options) = (Arc::clone(&calls), in_namespace(options(&query), namespace.as_deref()));
                let request = WorkloadVariableGet { auth: auth.clone(), options, path: path.clone() };
                Box::pin(async move {
                    let read = calls.variable_get(request).await.map_err(|error| convert::refusal("variable.get", &error))?;
                    Ok(Answer { index: read.meta.index, data: Data::Variable(read.data.map(convert::variable)) })
                })
            })),
            Dependency::NomadVarList { prefix, namespace, .. } => Some(Box::new(move |query| {
                let (calls, options) = (Arc::clone(&calls), in_namespace(options(&query), namespace.as_deref()));
                let options = ReadOptions { prefix: prefix.clone(), ..options };
                let request = WorkloadVariableList { auth: auth.clone(), options };
                Box::pin(async move {
                    let read = calls.variable_list(request).await.map_err(|error| convert::refusal("variable.list", &error))?;
                    let found = read.data.into_iter().map(convert::variable_metadata).collect();
                    Ok(Answer { index: read.meta.index, data: Data::Variables(found) })
                })
            })),
            _ => None,
        }
    }
}

/// The region that a template names.
fn region(dependency: &Dependency) -> Option<&str> {
    match dependency {
        Dependency::NomadVar { region, .. }
        | Dependency::NomadVarList { region, .. }
        | Dependency::NomadService { region, .. }
        | Dependency::NomadServices { region } => region.as_deref(),
        _ => None,
    }
}

/// The same question in another namespace than the task's, when the template names one.
fn in_namespace(options: ReadOptions, namespace: Option<&str>) -> ReadOptions {
    match namespace {
        Some(namespace) => ReadOptions { namespace: namespace.into(), ..options },
        None => options,
    }
}

fn all<T, U>(found: Vec<T>, convert: impl FnMut(T) -> U) -> Vec<U> {
    found.into_iter().map(convert).collect()
}

impl Asker {
    fn key(self, key: String, scope: Scope) -> Ask {
        Box::new(move |query| {
            let (store, key, query) = (self.cluster.key_value(&self.access), key.clone(), scoped(query, &scope));
            Box::pin(async move { Ok(store.get(&key, &query).await?.map(|entry| Data::Key(entry.map(|entry| entry.value)))) })
        })
    }

    fn keys(self, prefix: String, scope: Scope) -> Ask {
        Box::new(move |query| {
            let (store, prefix, query) = (self.cluster.key_value(&self.access), prefix.clone(), scoped(query, &scope));
            Box::pin(async move {
                let answer = store.list(&prefix, &query).await?;
                Ok(answer.map(|entries| Data::Keys(entries.into_iter().map(convert::key_pair).collect())))
            })
        })
    }

    fn service(self, name: String, tag: Option<String>, filters: Vec<String>, scope: Scope, connect: bool) -> Ask {
        // Consul itself leaves out the others only when passing ones alone are wanted.
        let filter = ServiceFilter { tag, passing: filters == ["passing"], mesh: connect };
        Box::new(move |query| {
            let catalogue = self.cluster.catalogue(&self.access);
            let (name, filter, filters, query) = (name.clone(), filter.clone(), filters.clone(), scoped(query, &scope));
            Box::pin(async move {
                let answer = catalogue.service(&name, &filter, &query).await?;
                Ok(answer.map(|instances| Data::Service(convert::health_services(instances, &filters))))
            })
        })
    }

    /// Questions that the smaller Consuls do not know.
    fn federation(self, dependency: &Dependency) -> std::result::Result<Ask, String> {
        Ok(match dependency.clone() {
            Dependency::Partitions => Box::new(move |query| {
                let catalogue = self.cluster.catalogue(&self.access);
                Box::pin(
                    async move { Ok(catalogue.partitions(&query).await?.map(|found| Data::Partitions(all(found, convert::partition)))) },
                )
            }),
            Dependency::Peerings { scope } => Box::new(move |query| {
                let (catalogue, query) = (self.cluster.catalogue(&self.access), scoped(query, &scope));
                Box::pin(async move { Ok(catalogue.peerings(&query).await?.map(|found| Data::Peerings(all(found, convert::peering)))) })
            }),
            Dependency::ExportedServices { scope } => Box::new(move |query| {
                let (catalogue, query) = (self.cluster.catalogue(&self.access), scoped(query, &scope));
                Box::pin(async move {
                    let answer = catalogue.exported_services(&query).await?;
                    Ok(answer.map(|found| Data::ExportedServices(all(found, convert::exported_service))))
                })
            }),
            Dependency::ImportedServices { scope } => Box::new(move |query| {
                let (catalogue, query) = (self.cluster.catalogue(&self.access), scoped(query, &scope));
                Box::pin(async move {
                    let answer = catalogue.imported_services(&query).await?;
                    Ok(answer.map(|found| Data::ImportedServices(all(found, convert::imported_service))))
                })
            }),
            other => return Err(format!("{other} cannot be watched")),
        })
    }

    fn rest(self, dependency: Dependency) -> std::result::Result<Ask, String> {
        Ok(match dependency {
            Dependency::Services { scope } => Box::new(move |query| {
                let (catalogue, query) = (self.cluster.catalogue(&self.access), scoped(query, &scope));
                Box::pin(async move {
                    let answer = catalogue.services(&query).await?;
                    Ok(answer.map(|names| Data::Services(convert::service_names(names.into_iter().map(|name| (name.name, name.tags))))))
                })
            }),
            Dependency::Nodes { scope } => Box::new(move |query| {
                let (catalogue, query) = (self.cluster.catalogue(&self.access), scoped(query, &scope));
                Box::pin(async move {
                    Ok(catalogue.nodes(&query).await?.map(|nodes| Data::Nodes(nodes.into_iter().map(convert::node).collect())))
                })
            }),
            Dependency::Node { name, scope } => Box::new(move |query| {
                let (catalogue, name, query) = (self.cluster.catalogue(&self.access), name.clone(), scoped(query, &scope));
                Box::pin(async move {
                    Ok(catalogue.node(name.as_deref(), &query).await?.map(|node| Data::Node(node.map(convert::node_detail))))
                })
            }),
            Dependency::CaRoots => Box::new(move |query| {
                let catalogue = self.cluster.catalogue(&self.access);
                Box::pin(async move {
                    Ok(catalogue.mesh_roots(&query).await?.map(|roots| Data::CaRoots(roots.into_iter().map(convert::ca_root).collect())))
                })
            }),
            Dependency::CaLeaf { service } => Box::new(move |query| {
                let (catalogue, service) = (self.cluster.catalogue(&self.access), service.clone());
                Box::pin(async move { Ok(catalogue.mesh_leaf(&service, &query).await?.map(|leaf| Data::CaLeaf(convert::ca_leaf(leaf)))) })
            }),
            other => return Err(format!("{other} cannot be watched")),
        })
    }
}

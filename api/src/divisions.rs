//! `/v1/namespace...` and `/v1/node/pool...`.

use drover_model::{
    namespace::{Namespace, NodePool},
    view::{JobListStub, NodeStub},
};
use serde_json::Value;

use crate::client::{Answer, Client, Error, segment};

impl Client {
    pub async fn namespaces(&self) -> Result<Answer<Vec<Namespace>>, Error> {
        self.get("/v1/namespaces", &[]).await
    }

    pub async fn get_namespace(&self, name: &str) -> Result<Answer<Namespace>, Error> {
        self.get(&format!("/v1/namespace/{}", segment(name)), &[]).await
    }

    /// Makes a namespace, or changes one.
    pub async fn put_namespace(&self, namespace: &Namespace) -> Result<Answer<Value>, Error> {
        self.put("/v1/namespace", &[], namespace).await
    }

    pub async fn delete_namespace(&self, name: &str) -> Result<Answer<Value>, Error> {
        self.delete(&format!("/v1/namespace/{}", segment(name)), &[]).await
    }

    pub async fn node_pools(&self) -> Result<Answer<Vec<NodePool>>, Error> {
        self.get("/v1/node/pools", &[]).await
    }

    pub async fn node_pool(&self, name: &str) -> Result<Answer<NodePool>, Error> {
        self.get(&format!("/v1/node/pool/{}", segment(name)), &[]).await
    }

    /// Makes a node pool, or changes one.
    pub async fn put_node_pool(&self, pool: &NodePool) -> Result<Answer<Value>, Error> {
        self.put("/v1/node/pools", &[], pool).await
    }

    pub async fn delete_node_pool(&self, name: &str) -> Result<Answer<Value>, Error> {
        self.delete(&format!("/v1/node/pool/{}", segment(name)), &[]).await
    }

    pub async fn node_pool_nodes(&self, name: &str) -> Result<Answer<Vec<NodeStub>>, Error> {
        self.get(&format!("/v1/node/pool/{}/nodes", segment(name)), &[]).await
    }

    /// The jobs of a pool, in every namespace.
    pub async fn node_pool_jobs(&self, name: &str) -> Result<Answer<Vec<JobListStub>>, Error> {
        self.get(&format!("/v1/node/pool/{}/jobs", segment(name)), &[("namespace", "*")]).await
    }
}

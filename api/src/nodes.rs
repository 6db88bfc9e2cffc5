//! `/v1/nodes`, `/v1/node/...`.

use std::collections::BTreeMap;

use drover_model::{allocation::Allocation, node::Node, rpc::client::NodeMeta, view::NodeStub};
use serde_json::{Value, json};

use crate::client::{Answer, Client, Error, segment};

impl Client {
    pub async fn nodes(&self, prefix: &str) -> Result<Answer<Vec<NodeStub>>, Error> {
        self.get("/v1/nodes", &[("prefix", prefix)]).await
    }

    pub async fn node(&self, id: &str) -> Result<Answer<Node>, Error> {
        self.get(&format!("/v1/node/{}", segment(id)), &[]).await
    }

    pub async fn node_allocations(&self, id: &str) -> Result<Answer<Vec<Allocation>>, Error> {
        self.get(&format!("/v1/node/{}/allocations", segment(id)), &[]).await
    }

    /// The servers that the agent knows.
    pub async fn servers(&self) -> Result<Answer<Vec<String>>, Error> {
        self.get("/v1/agent/servers", &[]).await
    }

    /// Gives the agent's client other servers.
    pub async fn set_servers(&self, addresses: &[String]) -> Result<Answer<Value>, Error> {
        let query: Vec<(&str, &str)> = addresses.iter().map(|address| ("address", address.as_str())).collect();
        self.put("/v1/agent/servers", &query, &json!(null)).await
    }

    /// The labels of a node; without an id, of the agent's own.
    pub async fn node_meta(&self, id: Option<&str>) -> Result<Answer<NodeMeta>, Error> {
        self.get("/v1/client/metadata", &[("node_id", id.unwrap_or_default())]).await
    }

    /// Sets labels of a node, or takes them away (none).
    pub async fn apply_node_meta(&self, id: Option<&str>, meta: &BTreeMap<String, Option<String>>) -> Result<Answer<NodeMeta>, Error> {
        let body = json!({ "NodeID": id.unwrap_or_default(), "Meta": meta });
        self.post("/v1/client/metadata", &[], &body).await
    }

    pub async fn set_eligibility(&self, id: &str, eligible: bool) -> Result<Answer<Value>, Error> {
        let word = if eligible { "eligible" } else { "ineligible" };
        self.put(&format!("/v1/node/{}/eligibility", segment(id)), &[], &json!({ "Eligibility": word })).await
    }

    /// Drains a node; `deadline_ns` below zero stops everything at once, 0 has no deadline. None ends a drain.
    pub async fn drain(
        &self,
        id: &str,
        deadline_ns: Option<i64>,
        ignore_system_jobs: bool,
        mark_eligible: bool,
    ) -> Result<Answer<Value>, Error> {
        let spec = deadline_ns.map(|deadline| json!({ "Deadline": deadline, "IgnoreSystemJobs": ignore_system_jobs }));
        let body = json!({ "DrainSpec": spec, "MarkEligible": mark_eligible });
        self.put(&format!("/v1/node/{}/drain", segment(id)), &[], &body).await
    }
}

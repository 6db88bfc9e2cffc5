//! `/v1/nodes`, `/v1/node/...`.

use drover_model::{allocation::Allocation, node::Node, view::NodeStub};
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

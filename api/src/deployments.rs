//! `/v1/deployments` and `/v1/deployment/...`.

use std::time::Duration;

use drover_model::{deployment::Deployment, view::AllocationStub};
use serde::Deserialize;
use serde_json::json;

use crate::client::{Answer, Client, Error, segment};

/// What promoting, failing or pausing a deployment answers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeploymentChanged {
    #[serde(rename = "EvalID")]
    pub eval_id: String,
    pub deployment_modify_index: u64,
    pub reverted_job_version: Option<u64>,
}

impl Client {
    pub async fn deployments(&self, prefix: &str) -> Result<Answer<Vec<Deployment>>, Error> {
        self.get("/v1/deployments", &[("prefix", prefix)]).await
    }

    pub async fn deployment(&self, id: &str) -> Result<Answer<Deployment>, Error> {
        self.get(&format!("/v1/deployment/{}", segment(id)), &[]).await
    }

    /// The deployment once it is newer than `index`, or as it is after `wait`.
    pub async fn deployment_after(&self, id: &str, index: u64, wait: Duration) -> Result<Answer<Deployment>, Error> {
        self.get_after(&format!("/v1/deployment/{}", segment(id)), index, wait).await
    }

    pub async fn deployment_allocations(&self, id: &str) -> Result<Answer<Vec<AllocationStub>>, Error> {
        self.get(&format!("/v1/deployment/allocations/{}", segment(id)), &[]).await
    }

    /// Promotes the canaries of `groups`, or of all groups when there are none.
    pub async fn promote(&self, id: &str, groups: &[String]) -> Result<Answer<DeploymentChanged>, Error> {
        let body =
            if groups.is_empty() { json!({ "DeploymentID": id, "All": true }) } else { json!({ "DeploymentID": id, "Groups": groups }) };
        self.put(&format!("/v1/deployment/promote/{}", segment(id)), &[], &body).await
    }

    pub async fn fail_deployment(&self, id: &str) -> Result<Answer<DeploymentChanged>, Error> {
        self.put(&format!("/v1/deployment/fail/{}", segment(id)), &[], &json!({ "DeploymentID": id })).await
    }

    pub async fn pause_deployment(&self, id: &str, pause: bool) -> Result<Answer<DeploymentChanged>, Error> {
        let body = json!({ "DeploymentID": id, "Pause": pause });
        self.put(&format!("/v1/deployment/pause/{}", segment(id)), &[], &body).await
    }
}

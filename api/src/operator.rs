//! `/v1/agent`, `/v1/status`, `/v1/system`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Answer, Client, Error};

/// The servers, as the agent that was asked sees them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Members {
    pub server_name: String,
    pub server_region: String,
    #[serde(rename = "ServerDC")]
    pub server_dc: String,
    pub members: Vec<Member>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Member {
    pub name: String,
    pub addr: String,
    pub port: u16,
    pub status: String,
    pub tags: std::collections::BTreeMap<String, String>,
}

impl Client {
    pub async fn members(&self) -> Result<Answer<Members>, Error> {
        self.get("/v1/agent/members", &[]).await
    }

    pub async fn agent_self(&self) -> Result<Answer<Value>, Error> {
        self.get("/v1/agent/self", &[]).await
    }

    /// The leader's RPC address; empty when there is none.
    pub async fn leader(&self) -> Result<Answer<String>, Error> {
        self.get("/v1/status/leader", &[]).await
    }

    pub async fn collect_garbage(&self) -> Result<Answer<Value>, Error> {
        self.put("/v1/system/gc", &[], &json!({})).await
    }
}

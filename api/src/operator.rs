//! `/v1/agent`, `/v1/status`, `/v1/system`.

use std::collections::BTreeMap;

use bytes::Bytes;
use drover_model::rpc::{
    autopilot::{AutopilotConfig, AutopilotHealth},
    operator::{LeadershipTransferred, RaftConfiguration, SchedulerConfigUpdated, SchedulerConfigView},
    status::ServerJoined,
};
use futures::Stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    client::{Answer, Client, Error, segment},
    jobs::flag,
};

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

/// The keys of gossip, with the number of servers that have each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GossipKeys {
    /// Why a server could not do it.
    pub messages: BTreeMap<String, String>,
    pub keys: BTreeMap<String, u32>,
    /// On how many servers each is the key that seals.
    pub primary_keys: BTreeMap<String, u32>,
    /// How many servers were asked.
    pub num_nodes: u32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Member {
    pub name: String,
    pub addr: String,
    pub port: u16,
    pub status: String,
    pub tags: BTreeMap<String, String>,
}

/// What of an agent's log is followed.
#[derive(Clone, Copy, Debug)]
pub struct MonitorRequest<'a> {
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub log_level: &'a str,
    pub json: bool,
    /// Where in the code each line comes from.
    pub include_location: bool,
    /// The node that the agent must be; empty: any.
    pub node_id: &'a str,
    /// The server that the agent must be: its name or `leader`; empty: any.
    pub server_id: &'a str,
}

impl Client {
    pub async fn members(&self) -> Result<Answer<Members>, Error> {
        self.get("/v1/agent/members", &[]).await
    }

    pub async fn agent_self(&self) -> Result<Answer<Value>, Error> {
        self.get("/v1/agent/self", &[]).await
    }

    /// The agent's log from now on, line by line, without an end.
    pub async fn monitor(&self, request: &MonitorRequest<'_>) -> Result<impl Stream<Item = Result<Bytes, Error>> + use<>, Error> {
        let query = [
            ("log_level", request.log_level),
            ("log_json", flag(request.json)),
            ("log_include_location", flag(request.include_location)),
            ("node_id", request.node_id),
            ("server_id", request.server_id),
            ("plain", "true"),
        ];
        self.stream("/v1/agent/monitor", &query).await
    }

    /// The leader's RPC address; empty when there is none.
    pub async fn leader(&self) -> Result<Answer<String>, Error> {
        self.get("/v1/status/leader", &[]).await
    }

    /// Lets the server that is asked join the cluster of those at `addresses`.
    pub async fn join_servers(&self, addresses: &[String]) -> Result<Answer<ServerJoined>, Error> {
        let query: Vec<(&str, &str)> = addresses.iter().map(|address| ("address", address.as_str())).collect();
        self.put("/v1/agent/join", &query, &json!({})).await
    }

    /// Takes a server out that is gone for good.
    pub async fn force_leave(&self, node: &str, prune: bool) -> Result<Answer<Value>, Error> {
        let prune = if prune { "1" } else { "0" };
        self.put("/v1/agent/force-leave", &[("node", node), ("prune", prune)], &json!({})).await
    }

    /// The keys that all servers seal their gossip with.
    pub async fn gossip_keys(&self) -> Result<Answer<GossipKeys>, Error> {
        self.get("/v1/agent/keyring/list", &[]).await
    }

    /// Lets all servers do something with a key: `install`, `use` or `remove` it.
    pub async fn change_gossip_key(&self, verb: &str, key: &str) -> Result<Answer<GossipKeys>, Error> {
        self.put(&format!("/v1/agent/keyring/{}", segment(verb)), &[], &json!({ "Key": key })).await
    }

    pub async fn raft_configuration(&self, stale: bool) -> Result<Answer<RaftConfiguration>, Error> {
        let query: &[(&str, &str)] = if stale { &[("stale", "true")] } else { &[] };
        self.get("/v1/operator/raft/configuration", query).await
    }

    /// `key` is `id` or `address`.
    pub async fn remove_peer(&self, key: &str, value: &str) -> Result<Answer<Value>, Error> {
        self.delete("/v1/operator/raft/peer", &[(key, value)]).await
    }

    /// `key` is `id` or `address`.
    pub async fn transfer_leadership(&self, key: &str, value: &str) -> Result<Answer<LeadershipTransferred>, Error> {
        self.put("/v1/operator/raft/transfer-leadership", &[(key, value)], &json!({})).await
    }

    pub async fn scheduler_config(&self) -> Result<SchedulerConfigView, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Reply {
            scheduler_config: SchedulerConfigView,
        }
        Ok(self.get::<Reply>("/v1/operator/scheduler/configuration", &[]).await?.data.scheduler_config)
    }

    /// Changes it if its index is still `check`.
    pub async fn set_scheduler_config(&self, config: &SchedulerConfigView, check: u64) -> Result<SchedulerConfigUpdated, Error> {
        Ok(self.put("/v1/operator/scheduler/configuration", &[("cas", &check.to_string())], config).await?.data)
    }

    pub async fn autopilot_config(&self) -> Result<Answer<AutopilotConfig>, Error> {
        self.get("/v1/operator/autopilot/configuration", &[]).await
    }

    /// False when it was changed since `config` was read.
    pub async fn set_autopilot_config(&self, config: &AutopilotConfig) -> Result<Answer<bool>, Error> {
        let index = config.modify_index.to_string();
        self.put("/v1/operator/autopilot/configuration", &[("cas", &index)], config).await
    }

    /// How the servers are. That they are not well is no error.
    pub async fn autopilot_health(&self) -> Result<AutopilotHealth, Error> {
        let path = "/v1/operator/autopilot/health";
        match self.get(path, &[]).await {
            Ok(answer) => Ok(answer.data),
            Err(Error::Status { status: 429, message, .. }) => {
                serde_json::from_str(&message).map_err(|error| Error::Answer { path: path.to_owned(), reason: error.to_string() })
            }
            Err(error) => Err(error),
        }
    }

    pub async fn collect_garbage(&self) -> Result<Answer<Value>, Error> {
        self.put("/v1/system/gc", &[], &json!({})).await
    }
}

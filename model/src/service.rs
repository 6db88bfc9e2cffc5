//! The servers' own catalogue: services with their addresses and health.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{AllocId, Name, NodeId},
    job::Provider,
    json::{List, Map},
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    Passing,
    Warning,
    #[default]
    Critical,
}

/// One instance of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRegistration {
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(rename = "ServiceName")]
    pub service_name: Name,
    #[serde(rename = "Namespace")]
    pub namespace: Name,
    #[serde(rename = "NodeID")]
    pub node_id: NodeId,
    #[serde(rename = "Datacenter")]
    pub datacenter: String,
    #[serde(rename = "JobID")]
    pub job_id: Name,
    #[serde(rename = "AllocID")]
    pub alloc_id: AllocId,
    #[serde(rename = "Tags")]
    pub tags: List<String>,
    #[serde(rename = "Address")]
    pub address: String,
    #[serde(rename = "Port")]
    pub port: u16,
    /// Ours beyond the common API: present when the job gives any.
    #[serde(rename = "Meta", default, skip_serializing_if = "no_meta")]
    pub meta: Map<String>,
    /// Ours: what the checks say; passing when there are none.
    #[serde(rename = "Health", default)]
    pub health: CheckStatus,
    /// Which of a job's catalogues it was meant for; `consul` ones stand here when Consul is the embedded one.
    #[serde(rename = "Provider", default = "native", skip_serializing_if = "is_native")]
    pub provider: Provider,
    #[serde(rename = "CreateIndex", default)]
    pub create_index: u64,
    #[serde(rename = "ModifyIndex", default)]
    pub modify_index: u64,
}

fn no_meta(meta: &Map<String>) -> bool {
    meta.is_empty()
}
/// What is left out; a job that says nothing means Consul, which is why the type's own default is another one.
fn native() -> Provider {
    Provider::Nomad
}
fn is_native(provider: &Provider) -> bool {
    *provider == Provider::Nomad
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lean;

    #[test]
    fn a_registration_comes_back_in_its_catalogue() {
        for provider in [Provider::Nomad, Provider::Consul] {
            let registration = ServiceRegistration {
                id: "_nomad-task-1".to_owned(),
                service_name: "web".into(),
                namespace: "default".into(),
                node_id: NodeId::from_random([1; 16]),
                datacenter: "dc1".to_owned(),
                job_id: "web".into(),
                alloc_id: AllocId::from_random([2; 16]),
                tags: List::default(),
                address: "10.0.0.1".to_owned(),
                port: 80,
                meta: Map::default(),
                health: CheckStatus::Passing,
                provider,
                create_index: 1,
                modify_index: 2,
            };
            let bytes = lean::to_vec(&registration).unwrap();
            assert_eq!(rmp_serde::from_slice::<ServiceRegistration>(&bytes).unwrap(), registration);
            let text = serde_json::to_string(&registration).unwrap();
            assert_eq!(serde_json::from_str::<ServiceRegistration>(&text).unwrap(), registration);
        }
    }
}

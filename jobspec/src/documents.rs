//! What else people write in the language of job files: namespaces, node pools, quotas, volumes. Without variables, since none are declared there.

use hcl_edit::structure::Body;
use serde_json::Value as Json;

use crate::{
    decode::Instance,
    diagnostic::{Diagnostic, Source},
    eval::{Evaluator, Scope},
    functions::Environment,
    schema::{self, Schema},
    syntax,
};

/// A kind of file, which decides what may stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    Namespace,
    NodePool,
    Quota,
    HostVolume,
}

impl Document {
    fn schema(self) -> &'static Schema {
        match self {
            Self::Namespace => &schema::NAMESPACE,
            Self::NodePool => &schema::NODE_POOLS,
            Self::Quota => &schema::QUOTA,
            Self::HostVolume => &schema::HOST_VOLUME,
        }
    }
}

/// Reads a file. Returns it in the API's form, or all that is wrong with it.
pub fn parse_document(document: Document, source: &str, file_name: &str) -> Result<Json, Vec<Diagnostic>> {
    let source = Source::new(file_name, source);
    let body = syntax::parse_body(&source).map_err(|problem| vec![problem])?;
    let environment = Environment { files: None, random: None };
    let evaluator = Evaluator::new(&source, &environment);
    let read = evaluator.decode(&whole(&body), document.schema(), None);
    let problems = evaluator.take_diagnostics();
    if !problems.is_empty() {
        return Err(problems);
    }
    match document {
        Document::NodePool => only_pool(read),
        Document::HostVolume => with_bytes(read),
        Document::Namespace | Document::Quota => Ok(read),
    }
}

/// A file is a block without braces.
fn whole(body: &Body) -> Instance<'_> {
    Instance { name: String::new(), ident: 0..0, header: 0..0, brace: 0..0, labels: Vec::new(), body, scope: Scope::default() }
}

fn only_pool(mut read: Json) -> Result<Json, Vec<Diagnostic>> {
    let pools = read.get_mut("Pools").and_then(Json::as_array_mut).map(std::mem::take).unwrap_or_default();
    match <[Json; 1]>::try_from(pools) {
        Ok([pool]) => Ok(pool),
        Err(pools) => {
            let found = format!("One node_pool block is wanted, and {} are there.", pools.len());
            Err(vec![Diagnostic::general("Not one node_pool block", found)])
        }
    }
}

/// Capacities are written with units.
fn with_bytes(mut read: Json) -> Result<Json, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    for (written, key) in schema::CAPACITIES {
        let Some(text) = read.as_object_mut().and_then(|volume| volume.remove(written)) else { continue };
        let text = text.as_str().unwrap_or_default();
        match bytes(text) {
            Some(bytes) => read[key] = bytes.into(),
            None => {
                problems.push(Diagnostic::general("Unsuitable capacity", format!("{text:?} is no size such as \"100GiB\" or \"500 MB\".")))
            }
        }
    }
    if problems.is_empty() { Ok(read) } else { Err(problems) }
}

/// `10`, `10 KB` and the like (powers of 1000), `10KiB` and the like (powers of 1024).
fn bytes(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let power = match unit.chars().next() {
        None | Some('b') => 0,
        Some(letter) => 1 + u32::try_from("kmgtp".find(letter)?).ok()?,
    };
    let base = match unit.get(1..).unwrap_or_default() {
        "" | "b" => 1000_i64,
        "i" | "ib" => 1024,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(base.checked_pow(power)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn namespaces_and_pools_are_read() {
        let namespace = r#"
            name        = "team"
            description = "ours"
            quota       = "small"
            meta { owner = "us" }
            capabilities { enabled_task_drivers = ["docker"] }
            node_pool_config {
              default = "gpu"
              allowed = ["gpu", "edge"]
            }
            vault { denied = ["old"] }
        "#;
        let want = json!({
            "Name": "team", "Description": "ours", "Quota": "small", "Meta": { "owner": "us" },
            "Capabilities": { "EnabledTaskDrivers": ["docker"] },
            "NodePoolConfiguration": { "Default": "gpu", "Allowed": ["gpu", "edge"] },
            "VaultConfiguration": { "Denied": ["old"] },
        });
        assert_eq!(parse_document(Document::Namespace, namespace, "ns.hcl").unwrap(), want);
        let pool = r#"
            node_pool "gpu" {
              description = "with cards"
              node_identity_ttl = "12h"
              scheduler_config {
                scheduler_algorithm = "spread"
                memory_oversubscription_enabled = true
              }
            }
        "#;
        let want = json!({
            "Name": "gpu", "Description": "with cards", "NodeIdentityTTL": 43_200_000_000_000_i64,
            "SchedulerConfiguration": { "SchedulerAlgorithm": "spread", "MemoryOversubscriptionEnabled": true },
        });
        assert_eq!(parse_document(Document::NodePool, pool, "pool.hcl").unwrap(), want);
    }

    #[test]
    fn quotas_are_read() {
        let quota = r#"
            name = "team"
            limit {
              region = "global"
              region_limit {
                cpu = 2500
                cores = -1
                memory = 1000
                memory_max = 2000
                device "nvidia/gpu" { count = 1 }
                storage { variables = 5 }
              }
              variables_limit = 10
            }
            limit { region = "eu" }
        "#;
        let want = json!({
            "Name": "team",
            "Limits": [
                {
                    "Region": "global",
                    "RegionLimit": {
                        "CPU": 2500, "Cores": -1, "MemoryMB": 1000, "MemoryMaxMB": 2000,
                        "Devices": [{ "Name": "nvidia/gpu", "Count": 1 }], "Storage": { "VariablesMB": 5 },
                    },
                    "VariablesLimit": 10,
                },
                { "Region": "eu" },
            ],
        });
        assert_eq!(parse_document(Document::Quota, quota, "q.hcl").unwrap(), want);
    }

    #[test]
    fn volumes_are_read() {
        let volume = r#"
            name = "data"
            type = "host"
            plugin_id = "mkdir"
            capacity_min = "1 GiB"
            capacity_max = "2GB"
            constraint {
              attribute = "${meta.disk}"
              operator  = "!="
              value     = "slow"
            }
            capability { access_mode = "single-node-single-writer" }
            parameters { mode = "0700" }
        "#;
        let want = json!({
            "Name": "data", "Type": "host", "PluginID": "mkdir",
            "RequestedCapacityMinBytes": 1_i64 << 30, "RequestedCapacityMaxBytes": 2_000_000_000_i64,
            "Constraints": [{ "LTarget": "${meta.disk}", "Operand": "!=", "RTarget": "slow" }],
            "RequestedCapabilities": [{ "AccessMode": "single-node-single-writer" }],
            "Parameters": { "mode": "0700" },
        });
        assert_eq!(parse_document(Document::HostVolume, volume, "v.hcl").unwrap(), want);
        for (text, want) in [("12", Some(12)), ("3KiB", Some(3072)), ("3k", Some(3000)), ("1x", None), ("-1", None), ("9999999999TB", None)]
        {
            assert_eq!(bytes(text), want, "{text}");
        }
    }

    #[test]
    fn mistakes_have_their_place() {
        for (document, text, want) in [
            (Document::Namespace, "nam = \"x\"", "Did you mean \"name\"?"),
            (Document::Namespace, "name = ", "x.hcl:1"),
            (Document::NodePool, "", "One node_pool block is wanted, and 0 are there"),
            (Document::NodePool, "node_pool \"a\" {}\nnode_pool \"b\" {}", "and 2 are there"),
            (Document::NodePool, "node_pool {}", "must have 1 labels"),
        ] {
            let problems = crate::to_terminal_text(&parse_document(document, text, "x.hcl").unwrap_err());
            assert!(problems.contains(want), "{text:?}: {problems}");
        }
    }
}

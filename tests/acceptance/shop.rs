//! The shop's clients: they trust only the CA, and ask whom the catalogue calls passing.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::stack::eventually;

#[derive(Clone, Debug)]
pub(crate) struct Shop {
    agent: String,
    consul: Option<String>,
    plain: reqwest::Client,
    trusting: reqwest::Client,
}

#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) address: String,
    pub(crate) tags: Vec<String>,
    pub(crate) version: String,
}

impl Shop {
    pub(crate) fn new(agent: String, consul: Option<String>, ca: &str) -> Self {
        let ca = reqwest::Certificate::from_pem(ca.as_bytes()).unwrap();
        let builder = || reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
        let trusting = builder().tls_certs_only([ca]).pool_max_idle_per_host(0).build().unwrap();
        Self { agent, consul, plain: builder().build().unwrap(), trusting }
    }

    pub(crate) async fn passing(&self) -> Result<Vec<Instance>, reqwest::Error> {
        let url = match &self.consul {
            Some(consul) => format!("{consul}/v1/health/service/shop?passing=true"),
            None => format!("{}/v1/service/shop?healthy=true", self.agent),
        };
        let found: Vec<Value> = self.plain.get(url).send().await?.error_for_status()?.json().await?;
        let instance = |entry: &Value| {
            let (service, node) = if entry["Service"].is_object() { (&entry["Service"], &entry["Node"]) } else { (entry, entry) };
            let host = service["Address"].as_str().filter(|host| !host.is_empty()).or_else(|| node["Address"].as_str()).unwrap_or_default();
            Instance {
                address: format!("{host}:{}", service["Port"]),
                tags: service["Tags"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
                version: service["Meta"]["version"].as_str().unwrap_or_default().to_owned(),
            }
        };
        Ok(found.iter().map(instance).collect())
    }

    pub(crate) async fn ask(&self, address: &str) -> Result<Value, reqwest::Error> {
        self.trusting.get(format!("https://{address}/")).send().await?.error_for_status()?.json().await
    }

    pub(crate) async fn versions(&self) -> Option<Vec<String>> {
        let mut versions: Vec<String> = self.passing().await.ok()?.into_iter().map(|instance| instance.version).collect();
        versions.sort();
        Some(versions)
    }

    pub(crate) async fn until(&self, versions: &[&str]) -> Vec<Instance> {
        eventually(&format!("{versions:?} passing"), || async {
            (self.versions().await? == versions).then_some(())?;
            self.passing().await.ok()
        })
        .await
    }

    /// The answers of all instances, by address.
    pub(crate) async fn answers(&self) -> Option<BTreeMap<String, Value>> {
        let mut answers = BTreeMap::new();
        for instance in self.passing().await.ok()? {
            let answer = self.ask(&instance.address).await.ok()?;
            answers.insert(instance.address, answer);
        }
        Some(answers)
    }

    pub(crate) async fn pids(&self) -> Option<Vec<u64>> {
        self.answers().await?.values().map(|answer| answer["pid"].as_u64()).collect()
    }
}

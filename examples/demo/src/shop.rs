//! The shop's clients: they ask the catalogue who passes, and each of those over TLS.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::PATIENCE;

const LOOK_AGAIN: Duration = Duration::from_millis(10);
const BETWEEN_REQUESTS: Duration = Duration::from_millis(20);
const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// The shop as its clients see it.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    catalogue: String,
    plain: reqwest::Client,
    /// Trusts the cluster's CA and nobody else.
    trusting: reqwest::Client,
}

#[derive(Clone, Debug)]
struct Instance {
    address: String,
    version: String,
    tags: Vec<String>,
}

impl Shop {
    pub(crate) fn new(agent: &str, ca_pem: &str) -> Result<Self> {
        let ca = reqwest::Certificate::from_pem(ca_pem.as_bytes()).context("`drover ca show` printed no certificate")?;
        let build = |builder: reqwest::ClientBuilder| builder.no_proxy().timeout(REQUEST_LIMIT).build();
        Ok(Self {
            catalogue: format!("{agent}/v1/service/shop?healthy=true"),
            plain: build(reqwest::Client::builder())?,
            trusting: build(reqwest::Client::builder().tls_certs_only([ca]).pool_max_idle_per_host(0))?,
        })
    }

    async fn instances(&self) -> Result<Vec<Instance>> {
        let found: Vec<Value> = self.plain.get(&self.catalogue).send().await?.error_for_status()?.json().await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let instance = |service: &Value| Instance {
            address: format!("{}:{}", text(&service["Address"]), service["Port"]),
            version: text(&service["Meta"]["version"]),
            tags: service["Tags"].as_array().into_iter().flatten().map(text).collect(),
        };
        Ok(found.iter().map(instance).collect())
    }

    async fn ask(&self, instance: &Instance) -> Result<Value> {
        let url = format!("https://{}/", instance.address);
        Ok(self.trusting.get(url).send().await?.error_for_status()?.json().await?)
    }

    pub(crate) async fn ask_all(&self) -> Result<Vec<Value>> {
        let mut answers = Vec::new();
        for instance in self.instances().await? {
            answers.push(self.ask(&instance).await?);
        }
        Ok(answers)
    }

    pub(crate) async fn pids(&self) -> Result<Vec<u64>> {
        let mut pids: Vec<u64> = self.ask_all().await?.iter().filter_map(|answer| answer["pid"].as_u64()).collect();
        pids.sort_unstable();
        Ok(pids)
    }

    /// `v1 (live, version-v1), v2 (canary, version-v2)`.
    pub(crate) async fn describe(&self) -> Result<String> {
        let mut instances = self.instances().await?;
        instances.sort_by(|a, b| a.version.cmp(&b.version));
        let parts: Vec<String> = instances.iter().map(|instance| format!("{} ({})", instance.version, instance.tags.join(", "))).collect();
        Ok(parts.join(", "))
    }

    pub(crate) async fn wait_for(&self, what: &str, versions: impl Fn(&[String]) -> bool) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let mut seen: Vec<String> = self.instances().await?.into_iter().map(|instance| instance.version).collect();
            seen.sort();
            if versions(&seen) {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("not within {} s: {what} (the catalogue has {seen:?})", PATIENCE.as_secs());
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    pub(crate) async fn wait_for_flag(&self, flag: &str, value: bool) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while !self.ask_all().await?.iter().all(|answer| answer["flags"][flag] == value) {
            if Instant::now() > end {
                bail!("flag {flag} was not {value} everywhere within {} s", PATIENCE.as_secs());
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }
}

/// Clients that keep asking until they are told to stop.
#[derive(Debug)]
pub(crate) struct Clients {
    stop: watch::Sender<bool>,
    answered: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    asking: JoinHandle<()>,
}

impl Clients {
    pub(crate) fn start(shop: Shop) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (answered, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counts = (Arc::clone(&answered), Arc::clone(&failed));
        let asking = tokio::spawn(async move {
            let mut turn = 0;
            while !*stopped.borrow() {
                let asked = match shop.instances().await {
                    Ok(instances) if !instances.is_empty() => shop.ask(&instances[turn % instances.len()]).await,
                    Ok(_) => Err(anyhow::anyhow!("nothing passes")),
                    Err(error) => Err(error),
                };
                turn += 1;
                let count = if asked.is_ok() { &counts.0 } else { &counts.1 };
                count.fetch_add(1, Ordering::Relaxed);
                sleep(BETWEEN_REQUESTS).await;
            }
        });
        Self { stop, answered, failed, asking }
    }

    /// Answered, failed.
    pub(crate) async fn stop(self) -> (u64, u64) {
        self.stop.send_replace(true);
        let _ = self.asking.await;
        (self.answered.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}

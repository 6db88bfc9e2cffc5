//! The story of the main job, step by step.

use std::{path::Path, sync::Arc, time::Duration};

use drover_model::deployment::DeploymentStatus;
use serde_json::json;
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use crate::{
    shop::Shop,
    stack::{Stack, eventually},
};

const FLIPS: u32 = 20;

pub(crate) async fn play(stack: Stack) {
    let stack = Arc::new(stack);
    stack.set_flag("beta", "false").await;
    stack.set_flag("theme", "\"dark\"").await;
    let shop = stack.shop();
    first_version(&stack, &shop).await;
    let clients = Clients::start(shop.clone());
    flags_flip(&stack, &shop).await;
    canary(&stack, &shop).await;
    blue_green(&stack, &shop).await;
    bad_version(&stack, &shop).await;
    promotes_itself(&stack, &shop).await;
    clients.nobody_noticed().await;
    crash(&shop).await;
    revert(&stack, &shop).await;
    stop(&stack, &shop).await;
    let log = stack.agent_log();
    assert!(!log.contains("s3cret"), "the agent's log holds a secret");
    assert!(!log.contains("panicked"), "the agent panicked:\n{log}");
}

async fn first_version(stack: &Stack, shop: &Shop) {
    let id = stack.run_job("v1", &[]).await;
    stack.deployment(id, "v1 deployed", |deployment| deployment.status == DeploymentStatus::Successful).await;
    for instance in shop.until(&["v1", "v1"]).await {
        assert!(instance.tags.contains(&"live".to_owned()) && !instance.tags.contains(&"canary".to_owned()), "{instance:?}");
        let answer = shop.ask(&instance.address).await.unwrap();
        assert_eq!((&answer["version"], &answer["secret"]), (&json!("v1"), &json!("s3cret")));
        assert_eq!(answer["flags"], json!({ "beta": false, "theme": "dark" }));
        assert!(stack.vault.is_none() || answer["vault_token"] == true, "{answer}");
    }
}

async fn flags_flip(stack: &Stack, shop: &Shop) {
    let before = shop.pids().await.unwrap();
    let mut worst = Duration::ZERO;
    for turn in 0..FLIPS {
        let value = turn % 2 == 0;
        stack.set_flag("beta", if value { "true" } else { "false" }).await;
        let begun = Instant::now();
        eventually("the flag in each instance", || async {
            shop.answers().await?.values().all(|answer| answer["flags"]["beta"] == value).then_some(())
        })
        .await;
        worst = worst.max(begun.elapsed());
    }
    println!("a flag was visible everywhere after {:.0} ms, the worst of {FLIPS}", worst.as_secs_f64() * 1000.0);
    assert_eq!(shop.pids().await.unwrap(), before, "an instance was restarted");
}

async fn canary(stack: &Stack, shop: &Shop) {
    let id = stack.run_job("v2", &["-var=canary=1"]).await;
    let waiting = stack.deployment(id, "a healthy canary", |d| d.task_groups["web"].healthy_allocs == 1).await;
    assert!(waiting.requires_promotion() && waiting.task_groups["web"].placed_canaries.len() == 1, "{waiting:?}");
    let instances = shop.until(&["v1", "v1", "v2"]).await;
    let canary = instances.iter().find(|instance| instance.version == "v2").unwrap();
    assert!(canary.tags.contains(&"canary".to_owned()) && !canary.tags.contains(&"live".to_owned()), "{canary:?}");
    stack.drover(&["deployment", "promote", "-detach", &id.to_string()]);
    stack.deployment(id, "v2 deployed", |deployment| deployment.status == DeploymentStatus::Successful).await;
    shop.until(&["v2", "v2"]).await;
    eventually("live tags everywhere", || async {
        let passing = shop.passing().await.ok()?;
        passing.iter().all(|i| i.tags.contains(&"live".to_owned()) && !i.tags.contains(&"canary".to_owned())).then_some(())
    })
    .await;
}

async fn blue_green(stack: &Stack, shop: &Shop) {
    let id = stack.run_job("v3", &["-var=canary=2"]).await;
    stack.deployment(id, "green healthy", |d| d.task_groups["web"].healthy_allocs == 2).await;
    shop.until(&["v2", "v2", "v3", "v3"]).await;
    stack.drover(&["job", "promote", "-detach", "shop"]);
    stack.deployment(id, "v3 deployed", |deployment| deployment.status == DeploymentStatus::Successful).await;
    shop.until(&["v3", "v3"]).await;
}

async fn bad_version(stack: &Stack, shop: &Shop) {
    let id = stack.run_job("bad4", &["-var=canary=1", "-var=auto_revert=true"]).await;
    let failed = stack.deployment(id, "bad4 refused", |deployment| deployment.status == DeploymentStatus::Failed).await;
    println!("the bad version's verdict: {}", failed.status_description);
    shop.until(&["v3", "v3"]).await;
}

async fn promotes_itself(stack: &Stack, shop: &Shop) {
    let id = stack.run_job("v5", &["-var=canary=1", "-var=auto_promote=true"]).await;
    stack.deployment(id, "v5 deployed", |deployment| deployment.status == DeploymentStatus::Successful).await;
    shop.until(&["v5", "v5"]).await;
}

async fn crash(shop: &Shop) {
    let instance = shop.passing().await.unwrap().remove(0);
    let pid = shop.ask(&instance.address).await.unwrap()["pid"].as_u64().unwrap();
    let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
    eventually("another process at the same address", || async {
        let answer = shop.ask(&instance.address).await.ok()?;
        (answer["pid"] != pid).then_some(())
    })
    .await;
    shop.until(&["v5", "v5"]).await;
}

async fn revert(stack: &Stack, shop: &Shop) {
    let versions = stack.api.job_versions("shop").await.unwrap().data.versions;
    let meta = |job: &drover_model::job::Job| job.task_groups[0].services[0].meta.get("version").cloned();
    let stable = versions.iter().find(|job| job.stable && meta(job).as_deref() == Some("v3")).expect("a stable v3");
    stack.drover(&["job", "revert", "-detach", "shop", &stable.version.to_string()]);
    eventually("a v3 canary", || async { shop.versions().await?.contains(&"v3".to_owned()).then_some(()) }).await;
}

async fn stop(stack: &Stack, shop: &Shop) {
    let pids = shop.pids().await.unwrap();
    stack.drover(&["job", "stop", "-detach", "-purge", "shop"]);
    eventually("an empty catalogue", || async { shop.passing().await.ok()?.is_empty().then_some(()) }).await;
    eventually("no process", || async { (!pids.iter().any(|pid| Path::new(&format!("/proc/{pid}")).exists())).then_some(()) }).await;
    stack.drover(&["system", "gc"]);
    let data = stack.folder.path().join("data");
    eventually("no secret on disk", || async { (!holds_secret(&data)).then_some(()) }).await;
}

fn holds_secret(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() { holds_secret(&path) } else { name == "shop.pem" || name == "db.env" }
    })
}

/// Clients that keep asking until they are told to stop.
struct Clients {
    stop: watch::Sender<bool>,
    asking: JoinHandle<(u64, Vec<String>)>,
}

impl Clients {
    fn start(shop: Shop) -> Self {
        let (stop, stopped) = watch::channel(false);
        let asking = tokio::spawn(async move {
            let (mut good, mut bad) = (0, Vec::new());
            let mut turn = 0;
            while !*stopped.borrow() {
                turn += 1;
                let asked = match shop.passing().await {
                    Ok(passing) if passing.is_empty() => Err("nothing passes".to_owned()),
                    Ok(passing) => shop.ask(&passing[turn % passing.len()].address).await.map_err(|error| format!("{error:?}")),
                    Err(error) => Err(format!("the catalogue: {error:?}")),
                };
                match asked {
                    Ok(_) => good += 1,
                    Err(error) => bad.push(error),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            (good, bad)
        });
        Self { stop, asking }
    }

    async fn nobody_noticed(self) {
        self.stop.send_replace(true);
        let (good, bad) = self.asking.await.unwrap();
        println!("{good} requests answered, {} failed", bad.len());
        assert!(good > 300 && bad.is_empty(), "{good} answered; failed: {:?}", bad.iter().take(5).collect::<Vec<_>>());
    }
}

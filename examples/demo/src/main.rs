//! Plays the main job with the real binary and says in plain words what happens.
//!
//! Everything is done as a user would do it: with the command line. Only the shop's clients are ours: they trust the cluster's CA alone and ask all
//! the time, so that the demo can say at the end whether anybody noticed.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "telling is what a demo does")]

mod shop;
mod stage;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Result, ensure};
use clap::Parser;
use tokio::time::Instant;

use crate::{shop::Clients, stage::Stage};

/// Exit codes of `job run` that the story meets.
const DEPLOYED: i32 = 0;
const NEEDS_PROMOTION: i32 = 4;

/// Plays the main job with the real binary and says what happens
#[derive(Debug, Parser)]
struct Arguments {
    /// The orchestrator's binary
    #[arg(long)]
    drover: PathBuf,
    /// The sample app's binary
    #[arg(long)]
    shop: PathBuf,
    /// The job file
    #[arg(long, default_value = "examples/shop/shop.nomad.hcl")]
    job: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo ended early: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let arguments = Arguments::parse();
    let mut stage = Stage::set(&arguments.drover, &arguments.shop, &arguments.job)?;
    let played = tokio::select! {
        played = play(&mut stage) => played,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    // The agent stops its tasks, whatever happened before.
    let ended = stage.end().await;
    played.and(ended)
}

async fn play(stage: &mut Stage) -> Result<()> {
    say("1. One process is a whole cluster: server, client, catalogue, flags, secrets and a certificate authority.");
    let begun = Instant::now();
    stage.start_agent().await?;
    note(&format!("the agent is up and its node is ready after {:.2} s", begun.elapsed().as_secs_f64()));

    say("2. A secret and two feature flags, for the shop to find.");
    stage.run(&["secret", "put", "secret/default/shop/config", "password=s3cret"]).await?;
    stage.run(&["kv", "put", "shop/flags/beta", "false"]).await?;
    stage.run(&["kv", "put", "shop/flags/theme", "\"dark\""]).await?;

    say("3. Version v1 goes out. Each instance gets a certificate of its own, the secret and the flags before it starts.");
    stage.run_job("v1", &[], DEPLOYED).await?;
    let shop = stage.shop().await?;
    shop.wait_for("two passing instances of v1", |versions| versions == ["v1", "v1"]).await?;
    for answer in shop.ask_all().await? {
        note(&format!("an instance answers over TLS: version {}, flags {}", answer["version"], answer["flags"]));
        ensure!(answer["secret"] == "s3cret", "the instance was not given its secret");
    }
    let clients = Clients::start(shop.clone());

    say("4. A flag flips. No instance restarts; each is told to look again.");
    let before = shop.pids().await?;
    let begun = Instant::now();
    stage.run(&["kv", "put", "shop/flags/beta", "true"]).await?;
    shop.wait_for_flag("beta", true).await?;
    note(&format!("every instance sees it {:.0} ms after the command was typed", begun.elapsed().as_secs_f64() * 1000.0));
    ensure!(shop.pids().await? == before, "an instance was restarted");

    say("5. Version v2 goes out as one canary beside v1, and waits.");
    stage.run_job("v2", &[("canary", "1")], NEEDS_PROMOTION).await?;
    shop.wait_for("v2 beside v1", |versions| versions == ["v1", "v1", "v2"]).await?;
    note(&format!("in the catalogue: {}", shop.describe().await?));
    say("   Somebody likes what the canary does, and promotes it.");
    stage.run(&["job", "promote", "shop"]).await?;
    shop.wait_for("v2 everywhere", |versions| versions == ["v2", "v2"]).await?;
    note(&format!("in the catalogue: {}", shop.describe().await?));

    say("6. Blue/green: as many canaries as instances. A whole second set stands ready before anything is switched.");
    stage.run_job("v3", &[("canary", "2")], NEEDS_PROMOTION).await?;
    note(&format!("in the catalogue: {}", shop.describe().await?));
    stage.run(&["job", "promote", "shop"]).await?;
    shop.wait_for("v3 alone", |versions| versions == ["v3", "v3"]).await?;

    say("7. A bad version: its check never passes, so nobody is ever sent to it, and v3 stays.");
    let code = stage.run_job_to_any_end("bad4", &[("canary", "1"), ("auto_revert", "true")]).await?;
    ensure!(code != DEPLOYED && code != NEEDS_PROMOTION, "the bad version was accepted (exit code {code})");
    shop.wait_for("v3 alone", |versions| versions == ["v3", "v3"]).await?;
    note(&format!("`job run` ended with exit code {code}; in the catalogue: {}", shop.describe().await?));

    let (answered, failed) = clients.stop().await;
    say(&format!("8. All the while clients kept asking: {answered} requests answered, {failed} failed."));
    ensure!(failed == 0, "{failed} requests failed");

    say("9. The job stops: out of the catalogue first, then the processes, then the secrets on disk.");
    stage.run(&["job", "stop", "-purge", "shop"]).await?;
    shop.wait_for("an empty catalogue", <[String]>::is_empty).await?;
    say("Done. The same job file runs unchanged against a real Consul and a real Vault.");
    Ok(())
}

/// A step of the story.
fn say(text: &str) {
    println!("\n\x1b[1m{text}\x1b[0m");
}

/// What came of it.
fn note(text: &str) {
    println!("   -> {text}");
}

/// The longest that the story waits for anything.
const PATIENCE: Duration = Duration::from_secs(90);

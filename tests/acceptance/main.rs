//! The main job from outside: the real binary, the sample app, and clients that trust only the CA.
//!
//! The same story is told against the embedded default, against a real Consul with RustyVault (token flow, KV v1), and, where `bao` or `vault` is on PATH,
//! against that (JWT flow, KV v2). `make acceptance` runs it; without `DROVER_ACCEPTANCE=1` each test says that it was skipped.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod consul;
mod outage;
mod processes;
mod shop;
mod stack;
mod story;
mod vault;

use stack::{Neighbours, Stack};

/// Whether to run; a missing neighbour that must be there is an error then.
fn wanted() -> bool {
    let wanted = std::env::var_os("DROVER_ACCEPTANCE").is_some();
    if !wanted {
        println!("skipped: takes a minute and real neighbours; `make acceptance` runs it (DROVER_ACCEPTANCE=1)");
    }
    wanted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_what_the_binary_brings_itself() {
    if wanted() {
        story::play(Stack::start(Neighbours::Embedded).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_real_consul_and_rustyvault() {
    if wanted() {
        let rvault = processes::find("rvault").expect("no rvault on PATH: `make peers` installs it");
        println!("uses {}", rvault.display());
        story::play(Stack::start(Neighbours::Rusty(rvault)).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_real_consul_and_vault() {
    if wanted() {
        match processes::find("bao").or_else(|| processes::find("vault")) {
            Some(vault) => {
                println!("uses {}", vault.display());
                story::play(Stack::start(Neighbours::Vault(vault)).await).await;
            }
            None => println!("skipped: neither bao nor vault is on PATH"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_consul_and_rustyvault_are_away() {
    if wanted() {
        let rvault = processes::find("rvault").expect("no rvault on PATH: `make peers` installs it");
        outage::play(&rvault, false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_consul_and_vault_are_away() {
    if wanted() {
        match processes::find("bao").or_else(|| processes::find("vault")) {
            Some(vault) => outage::play(&vault, true).await,
            None => println!("skipped: neither bao nor vault is on PATH"),
        }
    }
}

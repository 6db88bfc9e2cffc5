//! Servers and clients as one function of a seed: jobs, failures, drains, lost nodes, updates, without a thread, a clock or a wait.
//!
//! Commands go through the state machine itself, evaluations through the scheduler, the plan applier's check, the watcher's and the drainer's decisions. After each step
//! the invariants are looked at; at the end all faults are over, and the cluster must come to what its jobs ask for.
//!
//! Templates that roll have a play of their own, [`templates`].
//!
//! A failing seed says how to play it again. `DROVER_SIM_SEEDS=5000 cargo test -p drover-server simulation` plays that many.

#![allow(clippy::print_stderr, reason = "a failing seed says how to replay it")]

use std::{env, panic};

use story::Story;
use templates::Play;

mod client;
mod cluster;
mod dice;
mod invariants;
mod story;
mod templates;

const SEEDS: u64 = 500;
const TEMPLATE_SEEDS: u64 = 400;

/// Seeds that show what is not understood yet, each with what it shows. They are left out, and said to be.
const OPEN: &[(u64, &str)] = &[];

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// Plays `most` seeds, or those that the environment names.
fn play_seeds(test: &str, most: u64, play: impl Fn(u64, bool) + panic::RefUnwindSafe) {
    if let Some(seed) = number("DROVER_SIM_SEED") {
        return play(seed, true);
    }
    for seed in 0..number("DROVER_SIM_SEEDS").unwrap_or(most) {
        if let Err(cause) = panic::catch_unwind(|| play(seed, false)) {
            eprintln!("replay with: DROVER_SIM_SEED={seed} cargo test -p drover-server --lib simulation::{test} -- --nocapture");
            panic::resume_unwind(cause);
        }
    }
}

#[test]
fn whatever_happens_the_rules_hold_and_the_cluster_recovers() {
    play_seeds("whatever", SEEDS, |seed, aloud| match OPEN.iter().find(|(open, _)| *open == seed && !aloud) {
        Some((_, why)) => eprintln!("seed {seed} is left out: {why}"),
        None => Story::new(seed, aloud).play(),
    });
}

#[test]
fn changed_templates_roll_through_a_group_whatever_happens() {
    play_seeds("changed_templates", TEMPLATE_SEEDS, |seed, aloud| Play::new(seed, aloud).play());
}

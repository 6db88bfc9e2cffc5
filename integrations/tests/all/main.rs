//! The traits against real peers (Consul, RustyVault) and against a small server that answers as Vault does where none is at hand.
//!
//! A test whose peer is not installed says so and ends: `scripts/setup-peers.sh` brings them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "a test that cannot run says why")]

mod consul;
mod federation;
mod logins;
mod registry;
mod rusty;
mod support;
mod vault;

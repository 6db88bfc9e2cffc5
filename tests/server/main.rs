//! Servers as processes: on a disk that is full, killed at any moment, and three with certificates and a gossip key that are changed while they run.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says why")]

mod full_disk;
mod kill;
mod sealed;
mod support;

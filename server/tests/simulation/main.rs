//! Whole servers in one thread, from one seed, on simulated disks and a simulated network.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod backup;
mod crash;
mod faults;
mod full;
mod gossip;
mod linearizable;
mod membership;
mod support;

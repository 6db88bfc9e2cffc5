//! What the scheduler is measured with: clusters in memory, workloads, and the figures that come of them.
//!
//! What it is: generated cases ([`speed`]), a curve of their cost ([`plot`]), and a test bed that fills clusters until the first refusal ([`packing`]). `drover bench` prints it.
//!
//! What it must not know: servers, networks, terminals. Time is given as a function, so that nobody here reads a clock.
//!
//! Where to start: [`speed::run`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::time::Duration;

pub mod cluster;
pub mod packing;
pub mod plot;
pub mod speed;

/// How long ago some fixed moment was.
pub type Elapsed<'a> = &'a dyn Fn() -> Duration;

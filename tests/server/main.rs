//! A server as a process: on a disk that is full, and killed at any moment.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says why")]

mod full_disk;
mod kill;
mod support;

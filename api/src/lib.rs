//! A typed client of the HTTP API.
//!
//! What it is: [`Client`] speaks to any agent; its methods, one file for each family of paths, take and give the types of `drover_model`.
//!
//! What it must not know: terminals, servers, how an answer came about.
//!
//! Where to start: [`Client::new`], then [`Client::get`] and [`Client::put`], which everything else is made of.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub use allocations::{FileRead, LogRequest};
pub use client::{Answer, Client, Error, Options, Query, segment};

mod allocations;
mod client;
mod deployments;
mod divisions;
mod exec;
mod jobs;
mod nodes;
mod operator;
mod quotas;
mod storage;
mod volumes;

pub use deployments::DeploymentChanged;
pub use exec::{ExecInput, ExecOutput, ExecReader, ExecRequest, ExecWriter};
pub use jobs::{
    DispatchRequest, Dispatched, PlanAnswer, RegisterRequest, Registered, RevertRequest, ScaleRequest, Validation, VersionsAnswer,
};
pub use operator::{GossipKeys, Member, Members, MonitorRequest};
pub use storage::SecretWritten;
pub use volumes::VolumeAnswer;

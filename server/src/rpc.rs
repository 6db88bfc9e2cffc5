//! What people ask of the servers, through an agent's HTTP routes or the command line.
//!
//! A read is a function of the state and the message; a write checks the newest state, proposes one command and says what came of it. [`handlers`] binds
//! each message to its function: there it is decided whether this server answers or the leader does, and how a blocking read waits.
//! What nodes ask is elsewhere: their calls come often and know their own ways.

use std::sync::Arc;

use drover_runtime::{Runtime, rpc::Router};

use crate::{Server, propose::Propose, state::StateStore};

mod allocations;
mod backup;
mod catalogue;
mod deployments;
mod dispatch;
mod divisions;
mod embedded;
mod evaluations;
mod events;
mod filter;
mod handlers;
mod job_reads;
mod job_writes;
mod namespaces;
mod nodes;
mod operator;
pub(crate) mod page;
mod plan;
mod proxy;
mod quotas;
mod register;
mod scaling;
mod search;
mod volumes;
mod why;

pub(crate) use backup::Incoming;

/// The handlers of this folder.
pub(crate) fn router(server: &Arc<Server>) -> Router {
    handlers::router(server).merge(embedded::router(server))
}

/// What a write works with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Desk<'a> {
    pub(crate) store: &'a StateStore,
    pub(crate) proposer: &'a dyn Propose,
    pub(crate) runtime: &'a Runtime,
    /// The servers' own.
    pub(crate) region: &'a str,
}

/// What a read found.
#[derive(Debug)]
pub(crate) struct Found<T> {
    pub(crate) data: T,
    /// The index of the one object that was read, when it is one: whoever waits for it need not hear of others.
    pub(crate) index: Option<u64>,
    /// Where the next page starts.
    pub(crate) next_token: String,
}

impl<T> Found<T> {
    pub(crate) fn new(data: T) -> Self {
        Self { data, index: None, next_token: String::new() }
    }

    pub(crate) fn at(data: T, index: Option<u64>) -> Self {
        Self { data, index, next_token: String::new() }
    }
}

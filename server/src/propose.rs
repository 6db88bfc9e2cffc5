//! What the leader's services need of consensus: that a command is applied, or that it is said why not.

use std::fmt;

use drover_model::rpc::Error;
use futures::future::BoxFuture;

use crate::{
    consensus::Consensus,
    fsm::command::{Applied, Command},
};

/// Puts commands into the log.
pub trait Propose: Send + Sync + fmt::Debug {
    /// Returns once this server's state has the command.
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Applied, Error>>;
}

impl Applied {
    /// The index, when the command did what it should; else the refusal as an error.
    pub fn accepted(self) -> Result<u64, Error> {
        match self {
            Self::At { index } => Ok(index),
            Self::Conflict { found, .. } => Err(Error::new(409, format!("the index is {found} by now"))),
            Self::Refused { status, message, .. } => Err(Error::new(status, message)),
        }
    }

    /// The index that the command was applied at, whatever came of it.
    pub fn index(&self) -> u64 {
        match self {
            Self::At { index } | Self::Conflict { index, .. } | Self::Refused { index, .. } => *index,
        }
    }
}

impl Propose for Consensus {
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Applied, Error>> {
        Box::pin(async move { Ok(Self::propose(self, command).await?) })
    }
}

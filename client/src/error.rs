//! Why a client could not start.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the client's folder {path} cannot be prepared: {source}; check that it is on a writable disk and owned by the agent's user")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(
        "the client's state in {path} cannot be read: {reason}; move the file away to start with an empty state (running tasks would be lost sight of)"
    )]
    State { path: PathBuf, reason: String },
    #[error("node id file {path} holds no id: {reason}; remove it to register as a new node")]
    NodeId { path: PathBuf, reason: String },
}

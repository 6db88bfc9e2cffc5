//! What servers and HTTP routes ask of one client: about the allocations it runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ids::AllocId, method, stream_method};

/// Nothing to say but that it was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}

/// Restarts one task of an allocation, all that run, or (`all`) all of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllocRestart {
    pub alloc_id: AllocId,
    pub task: Option<String>,
    pub all: bool,
}
method!(AllocRestart, "client.alloc.restart", Done);

/// Sends a signal to one task of an allocation, or to all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllocSignal {
    pub alloc_id: AllocId,
    pub task: Option<String>,
    pub signal: String,
}
method!(AllocSignal, "client.alloc.signal", Done);

/// Removes what is left on disk of an allocation that has ended; none: of all that have.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllocCollect {
    pub alloc_id: Option<AllocId>,
}
method!(AllocCollect, "client.alloc.collect", Done);

/// What an allocation uses right now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllocStats {
    pub alloc_id: AllocId,
    pub task: Option<String>,
}
method!(AllocStats, "client.alloc.stats", serde_json::Value);

/// The state of the allocation's checks, by check id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllocChecks {
    pub alloc_id: AllocId,
}
method!(AllocChecks, "client.alloc.checks", BTreeMap<String, serde_json::Value>);

/// What the node uses right now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostStats {}
method!(HostStats, "client.stats", serde_json::Value);

/// Reads what the node says of itself to constraints.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct NodeMetaGet {}
method!(NodeMetaGet, "client.meta.get", NodeMeta);

/// Sets labels of the node while it runs, or takes them away (none). They outlive the agent, not the node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeMetaApply {
    pub meta: BTreeMap<String, Option<String>>,
}
method!(NodeMetaApply, "client.meta.apply", NodeMeta);

/// The labels of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NodeMeta {
    /// What counts: those of the configuration, changed by those that were set.
    pub meta: BTreeMap<String, String>,
    /// What was set while the node ran; none stands for a label of the configuration that was taken away.
    pub dynamic: BTreeMap<String, Option<String>>,
    /// What the configuration says.
    #[serde(rename = "Static")]
    pub configured: BTreeMap<String, String>,
}

/// Runs a command in the surroundings of a task. The caller names the session, so that it can send input to it ([`AllocExecInput`]).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllocExec {
    pub alloc_id: AllocId,
    pub task: String,
    pub command: Vec<String>,
    pub tty: bool,
    /// Unguessable: who knows it may type.
    pub session: String,
}
stream_method!(AllocExec, "client.alloc.exec", ExecFrame);

/// What a command says. The last frame has its exit code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecFrame {
    #[serde(with = "crate::json::base64")]
    pub stdout: Vec<u8>,
    #[serde(with = "crate::json::base64")]
    pub stderr: Vec<u8>,
    pub stdout_closed: bool,
    pub stderr_closed: bool,
    pub exit_code: Option<i32>,
}

/// Input for a command that runs: data, the end of it, or a new size of the terminal (rows, columns).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AllocExecInput {
    pub session: String,
    #[serde(with = "crate::json::base64")]
    pub data: Vec<u8>,
    pub close: bool,
    pub size: Option<(u16, u16)>,
}
method!(AllocExecInput, "client.alloc.exec_input", Done);

/// Lists a folder beneath an allocation's directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FsList {
    pub alloc_id: AllocId,
    pub path: String,
}
method!(FsList, "client.fs.list", Vec<FileInfo>);

/// Describes one file beneath an allocation's directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FsStat {
    pub alloc_id: AllocId,
    pub path: String,
}
method!(FsStat, "client.fs.stat", FileInfo);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FileInfo {
    pub name: String,
    pub is_dir: bool,
    pub size: u64,
    /// As `ls` prints it, such as `-rw-r--r--`.
    pub file_mode: String,
    pub mod_time: crate::time::Rfc3339,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content_type: String,
}

/// Reads a part of a file beneath an allocation's directory, in pieces.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FsRead {
    pub alloc_id: AllocId,
    pub path: String,
    pub offset: u64,
    /// None: to the end.
    pub limit: Option<u64>,
    /// Count `offset` back from the end.
    pub from_end: bool,
    /// Go on with what is appended.
    pub follow: bool,
}
stream_method!(FsRead, "client.fs.read", FileFrame);

/// Reads the log of a task over all its rotated files, in pieces.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogRead {
    pub alloc_id: AllocId,
    pub task: String,
    /// `stdout` or `stderr`.
    pub kind: String,
    pub offset: u64,
    pub from_end: bool,
    pub follow: bool,
}
stream_method!(LogRead, "client.fs.logs", FileFrame);

/// A piece of a file. One without data and event only says that the stream is alive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct FileFrame {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// The offset after the data.
    #[serde(skip_serializing_if = "is_zero")]
    pub offset: u64,
    #[serde(with = "crate::json::base64", skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<u8>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub file_event: String,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

//! What people and tasks ask of the servers' variables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Read, ReadOptions, node::WorkloadAuth};
use crate::{
    ids::Name,
    method,
    secret::SecretText,
    variable::{LockTerms, Variable, VariableMetadata},
};

/// Reads one variable of `options.namespace`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VariableGet {
    pub options: ReadOptions,
    pub path: String,
}
method!(VariableGet, "variable.get", Read<Option<Variable>>);

/// Lists the variables below `options.prefix`, in order of their paths.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VariableList {
    pub options: ReadOptions,
}
method!(VariableList, "variable.list", Read<Vec<VariableMetadata>>);

/// Reads one variable of `options.namespace` for a task, if it is within the task's [reach](crate::variable::VariableReach).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkloadVariableGet {
    pub auth: WorkloadAuth,
    pub options: ReadOptions,
    pub path: String,
}
method!(WorkloadVariableGet, "variable.workload", Read<Option<Variable>>);

/// Lists the variables below `options.prefix` that are within a task's reach, in order of their paths.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkloadVariableList {
    pub auth: WorkloadAuth,
    pub options: ReadOptions,
}
method!(WorkloadVariableList, "variable.workload_list", Read<Vec<VariableMetadata>>);

/// Writes a variable as a whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VariablePut {
    pub namespace: Name,
    pub path: String,
    /// None keeps the items that it has; only somebody who acquires a lock may leave them out.
    pub items: Option<BTreeMap<String, SecretText>>,
    /// Only when its index is this (0: only when there is none).
    pub check: Option<u64>,
    /// The lock that the writer holds; empty: none.
    pub holder: String,
    /// Takes this lock with the write; it must be free, or the writer's own.
    pub acquire: Option<LockTerms>,
}
method!(VariablePut, "variable.put", VariableWritten);

/// Deletes a variable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VariableDelete {
    pub namespace: Name,
    pub path: String,
    /// Only when its index is this.
    pub check: Option<u64>,
    /// The lock that the writer holds; empty: none.
    pub holder: String,
}
method!(VariableDelete, "variable.delete", VariableWritten);

/// Renews or releases a lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VariableLockChange {
    pub namespace: Name,
    pub path: String,
    pub id: String,
    /// Gives it up instead of holding it for longer.
    pub release: bool,
}
method!(VariableLockChange, "variable.lock", VariableWritten);

/// What a write came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariableWritten {
    pub index: u64,
    pub outcome: VariableOutcome,
    /// As it is now; of one that somebody else holds no more than its name.
    pub variable: Variable,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum VariableOutcome {
    #[default]
    Done,
    /// The index is another one: nothing was changed.
    Conflict,
    /// Somebody else holds its lock, or the lock is not the one that was named: nothing was changed.
    Held,
}

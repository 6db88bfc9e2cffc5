//! Variables: checked, encrypted before they leave the leader's memory, opened for whoever may read them.

use std::collections::BTreeMap;

use drover_model::{
    ids::{AllocId, Name},
    rpc::{
        Error, Read,
        node::WorkloadAuth,
        variable::{
            VariableDelete, VariableGet, VariableList, VariableLockChange, VariableOutcome, VariablePut, VariableWritten,
            WorkloadVariableGet, WorkloadVariableList,
        },
    },
    secret::SecretText,
    time::UnixNanos,
    variable::{ITEMS_LIMIT, LockTerms, PATH_LIMIT, SealedItems, StoredVariable, Variable, VariableMetadata, VariableReach},
};

use super::{Stores, access};
use crate::{
    fsm::{
        LOCKED,
        command::{Applied, Command},
    },
    identity::{Sealed, StoredKey, seal, with_key},
    rpc::page::{ByName, page},
    state::{State, TableId},
};

/// What everything below `nomad/` must begin with: tasks may read there without asking.
const RESERVED: [&str; 2] = ["nomad/jobs", "nomad/job-templates"];

impl Stores {
    pub async fn variable_get(&self, request: VariableGet) -> Result<Read<Option<Variable>>, Error> {
        let now = self.clock.now();
        self.read(TableId::Variables, &request.options, |state| opened(state, &request.options.namespace, &request.path, now)).await
    }

    /// Reads a variable for a task that runs on the calling node, if the task may read it.
    pub async fn workload_variable_get(&self, request: WorkloadVariableGet) -> Result<Read<Option<Variable>>, Error> {
        let WorkloadVariableGet { auth, options, path } = request;
        let now = self.clock.now();
        let look = |state: &State| {
            let reach = reach(state, &auth)?;
            if !reach.includes(&options.namespace, &path) {
                return Err(Error::new(403, reach.refusal(&options.namespace, &path)));
            }
            opened(state, &options.namespace, &path, now)
        };
        self.read(TableId::Variables, &options, look).await
    }

    /// Lists variables for a task that runs on the calling node: of those there are, the ones that it may read.
    pub async fn workload_variable_list(&self, request: WorkloadVariableList) -> Result<Read<Vec<VariableMetadata>>, Error> {
        let WorkloadVariableList { auth, options } = request;
        let now = self.clock.now();
        let look = |state: &State| {
            let reach = reach(state, &auth)?;
            let (namespace, is_wanted) = (reach.namespace(), options.all_namespaces() || options.namespace == *reach.namespace());
            let below = state.variables_with_prefix(namespace, &options.prefix).filter(|_| is_wanted);
            Ok((None, below.filter(|row| reach.includes(namespace, &row.path)).map(|row| row.metadata(now)).collect()))
        };
        self.read(TableId::Variables, &options, look).await
    }

    pub async fn variable_list(&self, request: VariableList) -> Result<Read<Vec<VariableMetadata>>, Error> {
        let (options, now) = (&request.options, self.clock.now());
        let look = |state: &State| {
            if options.all_namespaces() {
                let below = state.variables().filter(|row| row.path.starts_with(&options.prefix));
                return Ok((None, below.map(|row| row.metadata(now)).collect::<Vec<_>>()));
            }
            let below = state.variables_with_prefix(&options.namespace, &options.prefix);
            Ok((None, below.map(|row| row.metadata(now)).collect()))
        };
        let mut read = self.read(TableId::Variables, options, look).await?;
        let rows = read.data.into_iter().map(|row| (ByName(row.namespace.clone(), Name::from(row.path.as_str())), row)).collect();
        let found = page(rows, options, Clone::clone)?;
        (read.meta.next_token, read.data) = (found.next_token, found.data);
        Ok(read)
    }

    pub async fn variable_put(&self, request: VariablePut) -> Result<VariableWritten, Error> {
        let VariablePut { namespace, path, items, check, holder, acquire } = request;
        check_name(&self.state.snapshot(), &namespace, &path)?;
        // Who only wants a lock may find that there is nothing yet to lock.
        let is_new = || self.state.snapshot().variable(&namespace, &path).is_none();
        let items = items.or_else(|| (acquire.is_some() && is_new()).then(BTreeMap::new));
        let acquire = acquire.map(|terms| LockTerms { id: self.lock_id(terms.id), ..terms });
        let sealed = match &items {
            None => None,
            Some(items) => {
                check_items(items, acquire.is_some())?;
                let (_, key) = with_key(&self.state).await?;
                Some(Box::new(seal_items(&key, &namespace, &path, items, &*self.random)?))
            }
        };
        let command =
            Command::VariablePut { namespace: namespace.clone(), path: Name::from(path.as_str()), sealed, check, holder, acquire };
        self.write_variable(command, namespace, path).await
    }

    pub async fn variable_delete(&self, request: VariableDelete) -> Result<VariableWritten, Error> {
        let VariableDelete { namespace, path, check, holder } = request;
        let command = Command::VariableDelete { namespace: namespace.clone(), path: Name::from(path.as_str()), check, holder };
        self.write_variable(command, namespace, path).await
    }

    pub async fn variable_lock(&self, request: VariableLockChange) -> Result<VariableWritten, Error> {
        let VariableLockChange { namespace, path, id, release } = request;
        let command = Command::VariableLock { namespace: namespace.clone(), path: Name::from(path.as_str()), id, release };
        self.write_variable(command, namespace, path).await
    }

    /// The id that a lock was asked for with, or a new one.
    fn lock_id(&self, asked: String) -> String {
        if asked.is_empty() { AllocId::from_random(self.random.id_bytes()).to_string() } else { asked }
    }

    /// Proposes a write and says what became of the variable.
    async fn write_variable(&self, command: Command, namespace: Name, path: String) -> Result<VariableWritten, Error> {
        let applied = self.propose.propose(command).await?;
        let named = Variable { metadata: VariableMetadata { namespace, path, ..VariableMetadata::default() }, items: BTreeMap::new() };
        let (index, outcome) = match applied {
            Applied::At { index } => (index, VariableOutcome::Done),
            Applied::Conflict { index, .. } => (index, VariableOutcome::Conflict),
            Applied::Refused { index, status: LOCKED, .. } => {
                return Ok(VariableWritten { index, outcome: VariableOutcome::Held, variable: named });
            }
            Applied::Refused { status, message, .. } => return Err(Error::new(status, message)),
        };
        let state = self.state.snapshot();
        let variable = match state.variable(&named.metadata.namespace, &named.metadata.path) {
            Some(stored) => Variable { metadata: stored.metadata(self.clock.now()), items: open_items(&state, stored)? },
            None => named,
        };
        Ok(VariableWritten { index, outcome, variable })
    }
}

fn opened(state: &State, namespace: &Name, path: &str, now: UnixNanos) -> Result<(Option<u64>, Option<Variable>), Error> {
    let Some(stored) = state.variable(namespace, path) else { return Ok((None, None)) };
    let variable = Variable { metadata: stored.metadata(now), items: open_items(state, stored)? };
    Ok((Some(stored.modify_index), Some(variable)))
}

fn reach(state: &State, auth: &WorkloadAuth) -> Result<VariableReach, Error> {
    let (_, allocation) = access::workload(state, auth)?;
    Ok(VariableReach::of(&allocation.job, &allocation.task_group, &auth.task))
}

/// Refusals of a path carry the words in front that clients of this API have always got with them.
fn invalid(message: &str) -> Error {
    Error::bad_request(format!("RPC Error:: 400,{message}"))
}

fn check_name(state: &State, namespace: &Name, path: &str) -> Result<(), Error> {
    if state.namespace(namespace).is_none() {
        return Err(Error::internal(format!("variable {path:?} is in nonexistent namespace {namespace:?}")));
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b'/');
    if path.is_empty() || path.len() > PATH_LIMIT || !path.bytes().all(is_plain) {
        return Err(invalid(&format!(
            "invalid path {path:?}: 1 to {PATH_LIMIT} of the characters a-z, A-Z, 0-9, -, _, ~ and / are allowed"
        )));
    }
    let is_below = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if (path == "nomad" || path.starts_with("nomad/")) && !RESERVED.into_iter().any(is_below) {
        return Err(invalid(
            "only paths at \"nomad/jobs\" or \"nomad/job-templates\" and below are valid paths under the top-level \"nomad\" directory",
        ));
    }
    Ok(())
}

fn check_items(items: &BTreeMap<String, SecretText>, may_be_empty: bool) -> Result<(), Error> {
    let size: usize = items.iter().map(|(name, value)| name.len() + value.expose().len()).sum();
    if items.is_empty() && !may_be_empty {
        return Err(invalid("empty variables are invalid"));
    }
    if size > ITEMS_LIMIT {
        return Err(invalid(&format!("variables are limited to {} KiB in total size, this one has {size} bytes", ITEMS_LIMIT >> 10)));
    }
    Ok(())
}

/// What items are bound to: they open as no other variable's.
fn sealing_name(namespace: &str, path: &str) -> String {
    format!("variable/{namespace}/{path}")
}

fn seal_items(
    key: &StoredKey,
    namespace: &str,
    path: &str,
    items: &BTreeMap<String, SecretText>,
    random: &dyn drover_runtime::Random,
) -> Result<SealedItems, Error> {
    let plain = serde_json::to_vec(items).map_err(|_| Error::internal("the items cannot be written as JSON"))?;
    let Sealed { key_id, nonce, bytes } =
        seal::seal(key, &sealing_name(namespace, path), &plain, random).map_err(|error| Error::internal(error.to_string()))?;
    Ok(SealedItems { key_id, nonce, bytes })
}

fn open_items(state: &State, stored: &StoredVariable) -> Result<BTreeMap<String, SecretText>, Error> {
    let (path, found) = (&stored.path, &stored.sealed);
    let key = state
        .key(found.key_id)
        .ok_or_else(|| Error::internal(format!("key {} of the keyring is gone: variable {path} cannot be opened", found.key_id)))?;
    let sealed = Sealed { key_id: found.key_id, nonce: found.nonce.clone(), bytes: found.bytes.clone() };
    let plain = seal::open(key, &sealing_name(&stored.namespace, path), &sealed)
        .map_err(|error| Error::internal(format!("variable {path}: {error}")))?;
    serde_json::from_slice(&plain).map_err(|_| Error::internal(format!("variable {path} does not hold what was expected")))
}

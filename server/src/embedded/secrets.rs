//! The secrets of the embedded store: versioned, and encrypted before they leave the leader's memory.

use std::collections::BTreeMap;

use drover_model::{
    job::Job,
    kv::{SealedVersion, SecretVersion, StoredSecret},
    rpc::{
        Error, Read,
        embedded::{Checked, SecretDelete, SecretGet, SecretList, SecretName, SecretPut, SecretWritten},
        node::{WorkloadSecretGet, WorkloadSecretList},
    },
    secret::SecretText,
    time::UnixNanos,
};
use drover_runtime::Random;

use super::{
    Stores, access,
    kv::VALUE_LIMIT,
    path::{self, SecretPath},
};
use crate::{
    fsm::command::{Applied, Command},
    identity::{Sealed, StoredKey, seal, with_key},
    state::{State, TableId},
};

impl Stores {
    pub async fn secret_put(&self, request: SecretPut) -> Result<SecretWritten, Error> {
        let path = SecretPath::parse(&request.path)?;
        if request.data.is_empty() {
            return Err(Error::bad_request("a secret needs at least one key=value"));
        }
        let (_, key) = with_key(&self.state).await?;
        let version = seal_version(&key, &path, &request.data, self.clock.now(), &*self.random)?;
        if version.sealed.len() > VALUE_LIMIT {
            return Err(Error::new(413, format!("the secret is larger than {VALUE_LIMIT} bytes")));
        }
        let stored = path.as_str().to_owned();
        let command = Command::SecretPut { path: stored.clone(), version: Box::new(version), check: request.check };
        match self.propose.propose(command).await? {
            Applied::Conflict { index, found } => Ok(SecretWritten { index, version: found, done: false }),
            applied => {
                let index = applied.accepted()?;
                // At least the one that was written: another may have come after it.
                let version = self.state.snapshot().secret(&stored).map_or(0, |secret| secret.current);
                Ok(SecretWritten { index, version, done: true })
            }
        }
    }

    pub async fn secret_get(&self, request: SecretGet) -> Result<Read<Option<SecretVersion>>, Error> {
        let path = SecretPath::parse(&request.path)?;
        self.read(TableId::Secrets, &request.options, |state| look_up(state, &path, request.version)).await
    }

    /// Reads a secret for a task that runs on the calling node, if the path names the task's job.
    pub async fn workload_secret_get(&self, request: WorkloadSecretGet) -> Result<Read<Option<SecretVersion>>, Error> {
        let path = SecretPath::parse(&request.path)?;
        let look = |state: &State| {
            let (_, allocation) = access::workload(state, &request.auth)?;
            if !path.is_readable_by(&allocation.job) {
                return Err(refused(&allocation.job, &path));
            }
            look_up(state, &path, request.version)
        };
        self.read(TableId::Secrets, &request.options, look).await
    }

    /// Lists a folder for a task that runs on the calling node, if it is one of the task's job.
    pub async fn workload_secret_list(&self, request: WorkloadSecretList) -> Result<Read<Vec<String>>, Error> {
        let folder = SecretPath::parse_folder(&request.path)?;
        let look = |state: &State| {
            let (_, allocation) = access::workload(state, &request.auth)?;
            if !folder.is_readable_by(&allocation.job) {
                return Err(refused(&allocation.job, &folder));
            }
            let names = state.secrets_with_prefix(folder.as_str()).filter(|secret| open_at_all(secret));
            let mut names: Vec<String> = names.filter_map(|secret| folder.child(&secret.path)).map(str::to_owned).collect();
            names.dedup();
            Ok((None, names))
        };
        self.read(TableId::Secrets, &request.options, look).await
    }

    pub async fn secret_list(&self, request: SecretList) -> Result<Read<Vec<SecretName>>, Error> {
        let prefix = path::prefix(&request.prefix);
        self.read(TableId::Secrets, &request.options, |state| {
            Ok((None, state.secrets_with_prefix(&prefix).map(|secret| name_of(secret)).collect()))
        })
        .await
    }

    pub async fn secret_delete(&self, request: SecretDelete) -> Result<Checked, Error> {
        let path = SecretPath::parse(&request.path)?;
        super::kv::checked(self.propose.propose(Command::SecretDelete { path: path.as_str().to_owned() }).await?)
    }
}

fn refused(job: &Job, path: &SecretPath) -> Error {
    let (namespace, job) = (&job.namespace, &job.id);
    Error::new(403, format!("a task of job {job:?} may read below secret/{namespace}/{job}/ only, not {path}"))
}

/// Whether its newest version is there to be read.
fn open_at_all(secret: &StoredSecret) -> bool {
    secret.versions.get(&secret.current).is_some_and(|version| !version.deleted)
}

fn look_up(state: &State, path: &SecretPath, version: u64) -> Result<(Option<u64>, Option<SecretVersion>), Error> {
    let Some(secret) = state.secret(path.as_str()) else { return Ok((None, None)) };
    Ok((Some(secret.modify_index), open_version(state, path, secret, version)?))
}

/// Encrypts one version.
fn seal_version(
    key: &StoredKey,
    path: &SecretPath,
    data: &BTreeMap<String, SecretText>,
    now: UnixNanos,
    random: &dyn Random,
) -> Result<SealedVersion, Error> {
    let plain = serde_json::to_vec(data).map_err(|_| Error::internal("the secret cannot be written as JSON"))?;
    let Sealed { key_id, nonce, bytes } =
        seal::seal(key, path.as_str(), &plain, random).map_err(|error| Error::internal(error.to_string()))?;
    Ok(SealedVersion { key_id, nonce, sealed: bytes, created: now, deleted: false })
}

/// Decrypts one version; 0 is the newest.
fn open_version(state: &State, path: &SecretPath, secret: &StoredSecret, version: u64) -> Result<Option<SecretVersion>, Error> {
    let version = if version == 0 { secret.current } else { version };
    let Some(found) = secret.versions.get(&version).filter(|found| !found.deleted) else { return Ok(None) };
    let key = state
        .key(found.key_id)
        .ok_or_else(|| Error::internal(format!("key {} of the keyring is gone: {path} cannot be opened", found.key_id)))?;
    let sealed = Sealed { key_id: found.key_id, nonce: found.nonce.clone(), bytes: found.sealed.clone() };
    let plain = seal::open(key, path.as_str(), &sealed).map_err(|error| Error::internal(format!("{path}: {error}")))?;
    let data = serde_json::from_slice(&plain).map_err(|_| Error::internal(format!("{path} does not hold what was expected")))?;
    Ok(Some(SecretVersion { path: path.as_str().to_owned(), version, data, created: found.created }))
}

fn name_of(secret: &StoredSecret) -> SecretName {
    SecretName {
        path: secret.path.clone(),
        version: secret.current,
        versions: secret.versions.len(),
        created: secret.versions.get(&secret.current).map_or(UnixNanos::NEVER, |version| version.created),
        create_index: secret.create_index,
        modify_index: secret.modify_index,
    }
}

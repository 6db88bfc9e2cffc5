//! The keys of gossip that this server has, in a file that survives it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use drover_model::rpc::{self, gossip::KeyOperation};
use drover_runtime::{Disk, Random};

use super::key::{self, GossipKey};

/// Beside the log. A list of keys as texts, the one that seals first: as in existing data folders.
const FILE: &str = "serf.keyring";
const FILE_BYTES: u64 = 64 << 10;
/// A rotation needs two.
const KEYS_AT_MOST: usize = 16;

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action} the gossip keyring {}: {source}", path.display())]
    Io { path: PathBuf, action: &'static str, source: io::Error },
    #[error("the gossip keyring {} cannot be read: {why}. Remove it, and the server begins with the key of its configuration (`encrypt`) again", path.display())]
    Damaged { path: PathBuf, why: String },
}

/// The keys, the one that seals first; none: gossip is not sealed.
#[derive(Debug)]
pub(crate) struct Keyring {
    disk: Arc<dyn Disk>,
    random: Arc<dyn Random>,
    path: PathBuf,
    keys: RwLock<Vec<GossipKey>>,
}

impl Keyring {
    /// The keys of the file; where there is none, it begins with the configured one. The folder must exist.
    pub(super) fn open(disk: Arc<dyn Disk>, random: Arc<dyn Random>, folder: &Path, configured: Option<GossipKey>) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let damaged = |why: String| Error::Damaged { path: path.clone(), why };
        let keys = match disk.read(&path, FILE_BYTES) {
            Ok(bytes) => {
                let texts: Vec<String> = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
                let keys = texts.iter().map(|text| GossipKey::parse(text)).collect::<Result<Vec<_>, _>>();
                keys.map_err(|error| damaged(error.to_string()))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(Error::Io { path, action: "read", source }),
        };
        let keyring = Self { disk, random, path, keys: RwLock::new(keys) };
        let known = keyring.keys();
        match configured {
            Some(key) if known.is_empty() => {
                let failed = |source| Error::Io { path: keyring.path.clone(), action: "write", source };
                keyring.replace(vec![key]).map_err(failed)?;
            }
            Some(key) if !known.contains(&key) => tracing::info!(
                path = %keyring.path.display(),
                "the gossip key of the configuration (`encrypt`) is not used: it is not in the keyring, which has been changed since"
            ),
            _ => {}
        }
        Ok(keyring)
    }

    fn keys(&self) -> Vec<GossipKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, keys: Vec<GossipKey>) -> io::Result<()> {
        let texts: Vec<String> = keys.iter().map(GossipKey::to_text).collect();
        let bytes = serde_json::to_vec(&texts).map_err(io::Error::other)?;
        self.disk.write_atomic(&self.path, &bytes)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(crate) fn seal(&self, message: &[u8]) -> Option<Vec<u8>> {
        key::seal(&self.keys(), &*self.random, message)
    }

    pub(crate) fn open_message(&self, message: &[u8]) -> Option<Vec<u8>> {
        key::open(&self.keys(), message)
    }

    /// The keys as texts, the one that seals first.
    pub(crate) fn list(&self) -> Vec<String> {
        self.keys().iter().map(GossipKey::to_text).collect()
    }

    /// Changes the keys. Blocks, as disks do.
    pub(crate) fn change(&self, operation: KeyOperation, text: &str) -> Result<(), rpc::Error> {
        let mut keys = self.keys();
        if keys.is_empty() {
            return Err(rpc::Error::internal("gossip is not encrypted on this server (server.encrypt)"));
        }
        let key = GossipKey::parse(text).map_err(|error| rpc::Error::bad_request(error.to_string()))?;
        let known = keys.iter().position(|known| *known == key);
        match (operation, known) {
            (KeyOperation::List, _) | (KeyOperation::Install, Some(_)) => return Ok(()),
            (KeyOperation::Install, None) if keys.len() >= KEYS_AT_MOST => {
                return Err(rpc::Error::internal(format!("the keyring has {KEYS_AT_MOST} keys already: remove one")));
            }
            (KeyOperation::Install, None) => keys.push(key),
            (KeyOperation::Use, Some(at)) => keys[..=at].rotate_right(1),
            (KeyOperation::Use, None) => return Err(rpc::Error::internal("the key is not in the keyring: install it first")),
            (KeyOperation::Remove, Some(0)) => return Err(rpc::Error::internal("removing the primary key is not allowed")),
            (KeyOperation::Remove, Some(at)) => drop(keys.remove(at)),
            (KeyOperation::Remove, None) => return Ok(()),
        }
        self.replace(keys).map_err(|error| rpc::Error::internal(format!("cannot write {}: {error}", self.path.display())))
    }
}

#[cfg(test)]
mod tests {
    use drover_runtime::{MemoryDisk, OsRandom};

    use super::*;

    fn key(byte: u8) -> GossipKey {
        use base64::{Engine, prelude::BASE64_STANDARD};
        GossipKey::parse(&BASE64_STANDARD.encode([byte; 32])).unwrap()
    }

    fn open(disk: &MemoryDisk, configured: Option<GossipKey>) -> Result<Keyring, Error> {
        disk.create_dir_all(Path::new("/server")).unwrap();
        Keyring::open(Arc::new(disk.clone()), Arc::new(OsRandom), Path::new("/server"), configured)
    }

    #[test]
    fn keys_are_rotated_and_kept() {
        use KeyOperation::{Install, Remove, Use};
        let disk = MemoryDisk::new();
        let ring = open(&disk, Some(key(1))).unwrap();
        let (one, two) = (key(1).to_text(), key(2).to_text());
        let old = ring.seal(b"x").unwrap();
        for (operation, text, want, keys) in [
            (Use, &two, Err("the key is not in the keyring: install it first"), vec![&one]),
            (Remove, &two, Ok(()), vec![&one]),
            (Remove, &one, Err("removing the primary key is not allowed"), vec![&one]),
            (Install, &two, Ok(()), vec![&one, &two]),
            (Install, &two, Ok(()), vec![&one, &two]),
            (Use, &two, Ok(()), vec![&two, &one]),
            (Use, &two, Ok(()), vec![&two, &one]),
            (Install, &"c2hvcnQ=".to_owned(), Err("a gossip key is 16, 24 or 32"), vec![&two, &one]),
        ] {
            let done = ring.change(operation, text);
            assert_eq!(
                done.as_ref().map_err(|error| error.message.starts_with(want.err().unwrap_or("-"))),
                want.as_ref().map_err(|_| true),
                "{done:?}"
            );
            assert_eq!(ring.list().iter().collect::<Vec<_>>(), keys);
        }
        assert!(ring.open_message(&old).is_some(), "what the old key sealed is still on its way");
        ring.change(Remove, &one).unwrap();
        assert!(ring.open_message(&old).is_none());
        disk.crash();
        assert_eq!(open(&disk, Some(key(1))).unwrap().list(), [two], "the file counts, not what it began with");
    }

    #[test]
    fn without_a_key_there_is_none_to_change() {
        let disk = MemoryDisk::new();
        let ring = open(&disk, None).unwrap();
        assert!(ring.is_empty() && ring.list().is_empty());
        let error = ring.change(KeyOperation::Install, &key(1).to_text()).unwrap_err();
        assert!(error.message.contains("not encrypted"), "{error}");
        disk.write_atomic(Path::new("/server/serf.keyring"), b"[\"AAAA\"]").unwrap();
        let error = open(&disk, None).unwrap_err().to_string();
        assert!(error.contains("/server/serf.keyring cannot be read: a gossip key is") && error.contains("Remove it"), "{error}");
    }
}

//! What openraft is told about our commands.

use std::{
    cell::RefCell,
    fmt,
    io::Cursor,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use drover_model::{lean, rpc::as_bytes};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tokio::sync::oneshot;

use super::Error;
use crate::fsm::command::{Applied, COMMAND_VERSION, Proposed};

openraft::declare_raft_types!(
    /// One entry is a batch of commands. Each is answered where it is applied; see [`Item::answer`].
    pub TypeConfig:
        D = Batch,
        R = (),
        NodeId = u64,
        Node = ServerNode,
        SnapshotData = Cursor<Vec<u8>>,
);

/// What the log says of a server. Logs of the first version have its address alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerNode {
    /// The RPC address that others reach it at.
    pub addr: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub datacenter: String,
    /// It follows and answers stale reads, but is never asked for its vote.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub non_voting: bool,
}

impl From<String> for ServerNode {
    fn from(addr: String) -> Self {
        Self { addr, ..Self::default() }
    }
}

pub(super) type Entry = openraft::Entry<TypeConfig>;
pub(super) type LogId = openraft::LogId<u64>;
pub(super) type Vote = openraft::Vote<u64>;
pub(super) type StorageError = openraft::StorageError<u64>;
pub(super) type SnapshotMeta = openraft::SnapshotMeta<u64, ServerNode>;
pub(super) type StoredMembership = openraft::StoredMembership<u64, ServerNode>;

/// What a thread keeps of the buffer it encodes in.
const GATHERED_BYTES: usize = 64 << 10;

/// Commands that share a log entry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub(super) items: Vec<Item>,
}

impl Batch {
    pub fn new(proposals: Vec<Proposed>) -> Result<Self, Error> {
        Ok(Self { items: proposals.into_iter().map(|proposed| Item::new(proposed, None)).collect::<Result<_, _>>()? })
    }

    /// The newest version of the commands in it.
    pub(super) fn version(&self) -> u16 {
        self.items.iter().map(|item| item.version).max().unwrap_or(COMMAND_VERSION)
    }
}

/// One command as bytes: its proposer encodes it, so that neither the log nor the replication does it again, and it is read where it is applied. Clones are the
/// same.
#[derive(Clone)]
pub(super) struct Item {
    version: u16,
    pub(super) encoded: Bytes,
    /// Where it was proposed. The log keeps its newest entries in memory for those who follow, and for them the bytes are enough.
    origin: Option<Arc<Mutex<Origin>>>,
}

/// What only the server that proposed a command has of it.
struct Origin {
    /// Until it is applied.
    proposed: Option<Proposed>,
    /// Until it is answered.
    answer: Option<Answer>,
}

/// Where the proposer of a command waits.
pub(super) type Answer = oneshot::Sender<Result<Applied, Error>>;

impl Item {
    pub(super) fn new(proposed: Proposed, answer: Option<Answer>) -> Result<Self, Error> {
        let (version, encoded) = (proposed.version, encoded(&proposed)?);
        let origin = Origin { proposed: Some(proposed), answer };
        Ok(Self { version, encoded, origin: Some(Arc::new(Mutex::new(origin))) })
    }

    /// The command, for who applies it.
    pub(super) fn take(&self) -> Result<Proposed, String> {
        let kept = self.origin().and_then(|mut origin| origin.proposed.take());
        kept.map_or_else(|| rmp_serde::from_slice(&self.encoded).map_err(|error| format!("cannot read a command: {error}")), Ok)
    }

    /// Tells its proposer what became of it, unless it was told before, or is elsewhere.
    pub(super) fn answer(&self, with: Result<Applied, Error>) {
        if let Some(answer) = self.origin().and_then(|mut origin| origin.answer.take()) {
            // An answer that nobody waits for any more is dropped.
            let _ = answer.send(with);
        }
    }

    fn origin(&self) -> Option<MutexGuard<'_, Origin>> {
        self.origin.as_ref().map(|origin| origin.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.encoded == other.encoded
    }
}

/// The bytes of a command, in memory of just their size: the log keeps them for a while. They are gathered in a buffer that each thread uses again.
fn encoded(proposed: &Proposed) -> Result<Bytes, Error> {
    thread_local!(static GATHERED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
    GATHERED.with_borrow_mut(|gathered| {
        gathered.clear();
        gathered.shrink_to(GATHERED_BYTES);
        lean::write(gathered, proposed).map_err(|error| Error::Encode(error.to_string()))?;
        Ok(Bytes::copy_from_slice(gathered))
    })
}

/// Commands can hold secrets.
impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Item({} bytes)", self.encoded.len())
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        as_bytes::serialize(&self.encoded, serializer)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let encoded = as_bytes::deserialize(deserializer)?;
        let version = version_of(&encoded).map_err(de::Error::custom)?;
        Ok(Self { version, encoded: encoded.into(), origin: None })
    }
}

/// The version of an encoded [`Proposed`]: its first field. The rest is not looked at.
fn version_of(encoded: &[u8]) -> Result<u16, String> {
    const MAP: u8 = 0x80;
    let Some((_, fields)) = encoded.split_first().filter(|(mark, _)| **mark & 0xf0 == MAP) else {
        return Err("a command that is no map".to_owned());
    };
    let mut fields = rmp_serde::Deserializer::from_read_ref(fields);
    match <&str>::deserialize(&mut fields) {
        Ok("version") => u16::deserialize(&mut fields).map_err(|error| format!("cannot read a command's version: {error}")),
        _ => Err("a command that does not begin with its version".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use drover_model::time::UnixNanos;

    use super::*;
    use crate::fsm::command::Command;

    #[test]
    fn a_command_is_passed_on_as_bytes_with_its_version() {
        let command = Command::KvPut { key: "a".into(), value: vec![1], flags: 0, check: None };
        let proposed = Proposed { version: 3, at: UnixNanos(5), command };
        let sent = rmp_serde::to_vec_named(&Batch::new(vec![proposed.clone()]).unwrap()).unwrap();
        let batch: Batch = rmp_serde::from_slice(&sent).unwrap();
        assert_eq!(batch.version(), 3);
        assert_eq!(batch.items[0].take().as_ref(), Ok(&proposed));
        assert_eq!(batch.items[0].take().as_ref(), Ok(&proposed), "the bytes are still there");
    }

    #[test]
    fn what_is_no_command_is_refused_when_it_arrives() {
        for (name, bytes) in
            [("nothing", vec![]), ("no map", vec![0xc0]), ("an empty map", vec![0x80]), ("another field", vec![0x81, 0xa1, b'x', 1])]
        {
            let refused = version_of(&bytes).unwrap_err();
            assert!(refused.starts_with("a command that"), "{name}: {refused}");
        }
    }
}

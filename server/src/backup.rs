//! A snapshot of the whole state as one file, for operators to keep: `operator snapshot save|inspect|restore|state`.
//!
//! The file: magic (8 bytes), version (u16), length of the description (u32), the description (JSON), the state (a gzip stream of what [`crate::state::snapshot`]
//! writes), and the SHA-256 of all before. All numbers are little endian.

use std::io::{self, Read};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Buf, BufMut};
use drover_model::time::Rfc3339;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};

use crate::state::{State, snapshot};

const MAGIC: &[u8; 8] = b"DROVERBK";
const VERSION: u16 = 1;
/// Of the description.
const META_BYTES: usize = 64 << 10;
/// Of the state when it is unpacked.
const STATE_BYTES: u64 = 16 << 30;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("this is no snapshot file: {0}")]
    Format(String),
    #[error("the snapshot file has version {found}, this binary reads up to {VERSION}: use the binary that wrote it or a newer one")]
    Version { found: u16 },
    #[error("the snapshot file is damaged or cut off: its content does not have the checksum that it was written with; take another one")]
    Checksum,
    #[error("cannot pack the state: {0}")]
    Pack(#[from] io::Error),
    #[error(transparent)]
    State(#[from] snapshot::Error),
}

/// What the file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Meta {
    /// Of the newest change that is in it.
    pub index: u64,
    pub term: u64,
    pub taken_at: Rfc3339,
    pub region: String,
    /// Of the binary that wrote it.
    pub version: String,
}

/// A snapshot file that was checked.
#[derive(Clone, Copy, Debug)]
pub struct Backup<'a> {
    state: &'a [u8],
}

/// What is in a snapshot file.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Inspection {
    #[serde(flatten)]
    pub meta: Meta,
    /// The file's size in bytes.
    pub size: u64,
    /// Rows by kind.
    pub rows: Vec<(&'static str, usize)>,
}

/// The state, packed.
pub fn pack_state(state: &State) -> Result<Vec<u8>, Error> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    snapshot::encode(state, &mut packed)?;
    Ok(packed.finish()?)
}

/// The state from what [`pack_state`] gave.
pub fn unpack_state(packed: &[u8]) -> Result<State, Error> {
    let mut unpacked = io::BufReader::new(GzDecoder::new(packed).take(STATE_BYTES));
    Ok(snapshot::decode(&mut unpacked)?)
}

/// The state as a file.
pub fn write(meta: &Meta, state: &State) -> Result<Vec<u8>, Error> {
    let meta = serde_json::to_vec(meta).map_err(io::Error::from)?;
    let length = u32::try_from(meta.len()).map_err(io::Error::other)?;
    let mut bytes = Vec::new();
    bytes.put_slice(MAGIC);
    bytes.put_u16_le(VERSION);
    bytes.put_u32_le(length);
    bytes.put_slice(&meta);
    bytes.append(&mut pack_state(state)?);
    let sum = digest(&SHA256, &bytes);
    bytes.put_slice(sum.as_ref());
    Ok(bytes)
}

/// The checksum of a file as the HTTP header `Digest` has it.
pub fn digest_of(bytes: &[u8]) -> String {
    format!("sha-256={}", STANDARD.encode(digest(&SHA256, bytes)))
}

/// Checks a file.
pub fn read(bytes: &[u8]) -> Result<(Meta, Backup<'_>), Error> {
    let format = |what: &str| Error::Format(what.to_owned());
    let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(|| format("it does not begin as one does"))?;
    let version = rest.try_get_u16_le().map_err(|_| Error::Checksum)?;
    if version > VERSION {
        return Err(Error::Version { found: version });
    }
    let (content, sum) = bytes.split_at_checked(bytes.len().wrapping_sub(SHA256_OUTPUT_LEN)).ok_or(Error::Checksum)?;
    if digest(&SHA256, content).as_ref() != sum {
        return Err(Error::Checksum);
    }
    let length = rest.try_get_u32_le().map_err(|_| Error::Checksum)? as usize;
    let rest = rest.get(..rest.len().saturating_sub(SHA256_OUTPUT_LEN)).unwrap_or_default();
    let (meta, state) =
        rest.split_at_checked(length).filter(|_| length <= META_BYTES).ok_or_else(|| format("its description is cut off"))?;
    let meta = serde_json::from_slice(meta).map_err(|error| format(&error.to_string()))?;
    Ok((meta, Backup { state }))
}

impl<'a> Backup<'a> {
    /// The state, packed.
    pub fn packed(&self) -> &'a [u8] {
        self.state
    }

    pub fn state(&self) -> Result<State, Error> {
        unpack_state(self.state)
    }
}

/// Checks a file and counts what is in it.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, Error> {
    let (meta, backup) = read(bytes)?;
    let state = backup.state()?;
    let rows = vec![
        ("Jobs", state.jobs().count()),
        ("Nodes", state.nodes().count()),
        ("Allocations", state.allocations().count()),
        ("Evaluations", state.evaluations().count()),
        ("Deployments", state.deployments().count()),
        ("Services", state.services().count()),
        ("Keys of the key-value store", state.kv_with_prefix("").count()),
        ("Root keys", state.keys().count()),
    ];
    Ok(Inspection { meta, size: bytes.len() as u64, rows })
}

/// What is in a file, as JSON. Keys, secrets and values of the key-value store stay where they are.
pub fn show(bytes: &[u8]) -> Result<serde_json::Value, Error> {
    let (meta, backup) = read(bytes)?;
    let state = backup.state()?;
    let jobs: Vec<_> = state.jobs().collect();
    let nodes: Vec<_> = state.nodes().map(|node| node.id).collect();
    Ok(serde_json::json!({
        "Meta": meta,
        "Jobs": jobs,
        "Nodes": nodes,
        "Allocations": state.allocations().map(|row| (row.id, &row.job_id, row.client_status, row.desired_status)).collect::<Vec<_>>(),
        "Evaluations": state.evaluations().collect::<Vec<_>>(),
        "Deployments": state.deployments().collect::<Vec<_>>(),
        "Services": state.services().collect::<Vec<_>>(),
        "KvKeys": state.kv_with_prefix("").map(|entry| entry.key.clone()).collect::<Vec<_>>(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fsm::command::Command, testing::*};

    fn file() -> (State, Vec<u8>) {
        let mut world = World::default();
        world.ready_node(node(1, 4000, 4000));
        world.register(job("web", 3));
        world.run(Command::KvPut { key: "a".into(), value: b"1".to_vec(), flags: 0, check: None });
        let meta = Meta { index: world.state.index(), region: "global".into(), ..Meta::default() };
        let bytes = write(&meta, &world.state).unwrap();
        (world.state, bytes)
    }

    #[test]
    fn a_file_reads_as_it_was_written() {
        let (state, bytes) = file();
        let inspection = inspect(&bytes).unwrap();
        assert_eq!((inspection.meta.index, inspection.rows[0], inspection.rows[1]), (state.index(), ("Jobs", 1), ("Nodes", 1)));
        let (_, backup) = read(&bytes).unwrap();
        assert_eq!(backup.packed(), pack_state(&backup.state().unwrap()).unwrap(), "same state, same bytes");
        assert_eq!(show(&bytes).unwrap()["KvKeys"], serde_json::json!(["a"]));
    }

    #[test]
    fn damage_is_refused_wherever_it_is() {
        let (_, whole) = file();
        for position in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[position] ^= 0x20;
            assert!(read(&bytes).is_err(), "byte {position}");
        }
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "cut to {length}");
        }
        assert!(matches!(read(b"PK.."), Err(Error::Format(_))));
    }
}

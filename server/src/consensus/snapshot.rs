//! The newest snapshot, in one file that is replaced as a whole.
//!
//! The file: magic (8 bytes), version (u16), length of the description (u32), the description (MessagePack), its CRC-32 (u32), then the sealed state: the
//! state machine's bytes, packed with gzip (since version 2), and the CRC-32 of that. All numbers are little endian. The sealed state travels to other servers as it is.

use std::{
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Buf, BufMut};
use drover_runtime::Disk;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use super::{log::Error, types::SnapshotMeta};

const FILE: &str = "snapshot";
const MAGIC: &[u8; 8] = b"DROVERSS";
const VERSION: u16 = 2;
const CRC_BYTES: usize = 4;
/// What goes to and comes from the packer at a time.
const BUFFER_BYTES: usize = 64 << 10;
/// Of the whole file.
const FILE_BYTES: u64 = 16 << 30;
/// Of the description alone.
const META_BYTES: usize = 16 << 20;

/// What gzip streams begin with. The first version's states are not packed, and begin otherwise.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Packs what `write` gives, and adds the checksum.
pub(super) fn seal<E: From<io::Error>>(write: impl FnOnce(&mut dyn Write) -> Result<(), E>) -> Result<Vec<u8>, E> {
    let mut packed = BufWriter::with_capacity(BUFFER_BYTES, GzEncoder::new(Vec::new(), Compression::fast()));
    write(&mut packed)?;
    let mut sealed = packed.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
    let crc = crc32fast::hash(&sealed);
    sealed.put_u32_le(crc);
    Ok(sealed)
}

fn checked(sealed: &[u8]) -> io::Result<&[u8]> {
    let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("the snapshot's state {what}"));
    let (state, mut crc) = sealed.split_at_checked(sealed.len().wrapping_sub(CRC_BYTES)).ok_or_else(|| damaged("is cut off"))?;
    if crc.get_u32_le() == crc32fast::hash(state) { Ok(state) } else { Err(damaged("does not have the checksum that it was written with")) }
}

/// Checks the checksum, and gives what was sealed.
pub(super) fn unseal(sealed: &[u8]) -> io::Result<Box<dyn Read + '_>> {
    let state = checked(sealed)?;
    Ok(if state.starts_with(&GZIP) { Box::new(BufReader::with_capacity(BUFFER_BYTES, GzDecoder::new(state))) } else { Box::new(state) })
}

/// Where the newest snapshot is.
#[derive(Clone, Debug)]
pub(super) struct SnapshotStore {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl SnapshotStore {
    pub(super) fn new(disk: Arc<dyn Disk>, folder: &Path) -> Self {
        Self { disk, path: folder.join(FILE) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write(&self, meta: &SnapshotMeta, sealed: &[u8]) -> Result<(), Error> {
        let failed = |source| Error::Io { path: self.path.clone(), action: "write", source: Arc::new(source) };
        let meta = rmp_serde::to_vec_named(meta).map_err(|error| failed(io::Error::other(error)))?;
        let length = u32::try_from(meta.len()).map_err(|error| failed(io::Error::other(error)))?;
        let mut bytes = Vec::with_capacity(MAGIC.len() + 6 + meta.len() + CRC_BYTES + sealed.len());
        bytes.put_slice(MAGIC);
        bytes.put_u16_le(VERSION);
        bytes.put_u32_le(length);
        bytes.put_slice(&meta);
        bytes.put_u32_le(crc32fast::hash(&bytes));
        bytes.put_slice(sealed);
        self.disk.write_atomic(&self.path, &bytes).map_err(failed)
    }

    /// The newest snapshot and its sealed state; none before the first.
    pub(super) fn read(&self) -> Result<Option<(SnapshotMeta, Vec<u8>)>, Error> {
        let bytes = match self.disk.read(&self.path, FILE_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Io { path: self.path.clone(), action: "read", source: Arc::new(source) }),
        };
        let damaged = |offset: usize, what: &str| Error::Damaged { path: self.path.clone(), offset: offset as u64, what: what.into() };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged(0, "it does not begin as a snapshot does"))?;
        let mut rest = rest;
        let version = rest.try_get_u16_le().map_err(|_| damaged(8, "it is cut off"))?;
        if version > VERSION {
            return Err(Error::Newer { path: self.path.clone(), found: version, known: VERSION });
        }
        let length = rest.try_get_u32_le().map_err(|_| damaged(10, "it is cut off"))? as usize;
        let header = MAGIC.len() + 6;
        if length > META_BYTES || rest.len() < length + CRC_BYTES {
            return Err(damaged(10, "its description is cut off"));
        }
        let (meta, mut rest) = rest.split_at(length);
        if rest.get_u32_le() != crc32fast::hash(&bytes[..header + length]) {
            return Err(damaged(header, "its description does not have the checksum that it was written with"));
        }
        let meta = rmp_serde::from_slice(meta).map_err(|error| damaged(header, &error.to_string()))?;
        let sealed = rest.to_vec();
        checked(&sealed).map_err(|error| damaged(header + length + CRC_BYTES, &error.to_string()))?;
        Ok(Some((meta, sealed)))
    }
}

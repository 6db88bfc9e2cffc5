//! This server's id in the cluster.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use drover_runtime::{Disk, Random};

use super::log::Error;

const FILE: &str = "id";
const FILE_BYTES: u64 = 64;

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// The id that this server got at its first start.
pub(super) fn read(disk: &dyn Disk, folder: &Path) -> Result<Option<u64>, Error> {
    let path = path(folder);
    let bytes = match disk.read(&path, FILE_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { path, action: "read", source: Arc::new(source) }),
    };
    let id = std::str::from_utf8(&bytes).ok().and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    id.map(Some).ok_or_else(|| Error::Damaged { path, offset: 0, what: "it does not hold this server's id".into() })
}

/// The known id, or a new one for a server whose log holds nothing yet.
///
/// The id is written after the log was made: where there is an id, there must be a log.
pub(super) fn settle(disk: &dyn Disk, folder: &Path, random: &dyn Random, known: Option<u64>, pristine: bool) -> Result<u64, Error> {
    let path = path(folder);
    match known {
        Some(id) => Ok(id),
        None if pristine => {
            // 0 means "nobody" to people who read it.
            let id = random.number().max(1);
            disk.write_atomic(&path, format!("{id:016x}\n").as_bytes()).map_err(|source| Error::Io {
                path,
                action: "write",
                source: Arc::new(source),
            })?;
            Ok(id)
        }
        None => Err(Error::Missing { path, what: "this server's id, though its log has been written to".into() }),
    }
}

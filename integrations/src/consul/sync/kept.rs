//! The tokens of services, kept where an agent that comes back finds them: so that it goes on with them, and gives back those of services that are gone.
//!
//! One line of JSON for each change of a service, the newest counts. Lines are handed to the kernel and not forced to the disk: they have to outlive the agent,
//! and what a machine's crash leaves behind ends with the auth method's `MaxTokenTTL`.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use drover_model::{secret::SecretText, time::nanos};
use drover_runtime::{Disk, DiskFile};
use serde::{Deserialize, Serialize};

/// The largest file that is read, and the size beyond which one with little in it is written anew.
const FILE_BYTES: u64 = 64 << 20;
const SLACK_BYTES: u64 = 1 << 20;

/// What a service has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// All of its tokens, the one that counts last; none: the service is forgotten.
    pub(super) tokens: Vec<SecretText>,
    /// How long the last one lived when it was new; zero: until it is given back.
    #[serde(with = "nanos")]
    pub(super) life: Duration,
}

#[derive(Serialize, Deserialize)]
struct Line {
    service: String,
    kept: Kept,
}

/// The file, for one Consul.
#[derive(Debug)]
pub(super) struct TokenFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: Box<dyn DiskFile>,
    len: u64,
    /// What counts, with the size of its line.
    known: BTreeMap<String, (Kept, u64)>,
}

impl TokenFile {
    /// Opens the file and answers what is in it. A last line that was cut off by a crash does not count.
    pub(super) fn open(disk: Arc<dyn Disk>, path: &Path) -> io::Result<(Self, BTreeMap<String, Kept>)> {
        if let Some(folder) = path.parent() {
            disk.create_dir_all(folder)?;
        }
        let text = match disk.read(path, FILE_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut found = BTreeMap::new();
        for line in text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok()) {
            if line.kept.tokens.is_empty() {
                found.remove(&line.service)
            } else {
                found.insert(line.service, line.kept)
            };
        }
        let open = write_anew(&*disk, path, &found)?;
        Ok((Self { disk, path: path.to_owned(), open: Mutex::new(open) }, found))
    }

    /// Notes what a service has now. A disk that takes no more must not keep services out of the catalogue: it is told, and that is all.
    pub(super) fn note(&self, service: &str, kept: Kept) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.append(&mut open, service, kept) {
            tracing::warn!(path = %self.path.display(), %error, "the tokens of services cannot be written down; those of services that end while no agent runs would stay");
        }
    }

    fn append(&self, open: &mut Open, service: &str, kept: Kept) -> io::Result<()> {
        let line = line(service, &kept)?;
        open.file.append(&line)?;
        let size = line.len() as u64;
        open.len += size;
        if kept.tokens.is_empty() {
            open.known.remove(service);
        } else {
            open.known.insert(service.to_owned(), (kept, size));
        }
        let live: u64 = open.known.values().map(|(_, size)| size).sum();
        if open.len > SLACK_BYTES + 2 * live {
            let known = open.known.iter().map(|(service, (kept, _))| (service.clone(), kept.clone())).collect();
            *open = write_anew(&*self.disk, &self.path, &known)?;
        }
        Ok(())
    }
}

fn line(service: &str, kept: &Kept) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&Line { service: service.to_owned(), kept: kept.clone() }).map_err(io::Error::other)?;
    line.push(b'\n');
    Ok(line)
}

fn write_anew(disk: &dyn Disk, path: &Path, known: &BTreeMap<String, Kept>) -> io::Result<Open> {
    let (mut bytes, mut sized) = (Vec::new(), BTreeMap::new());
    for (service, kept) in known {
        let line = line(service, kept)?;
        sized.insert(service.clone(), (kept.clone(), line.len() as u64));
        bytes.extend(line);
    }
    disk.write_atomic(path, &bytes)?;
    Ok(Open { file: disk.open(path)?, len: bytes.len() as u64, known: sized })
}

#[cfg(test)]
mod tests {
    use drover_runtime::RealDisk;

    use super::*;

    fn kept(tokens: &[&str]) -> Kept {
        Kept { tokens: tokens.iter().map(|token| SecretText::new(*token)).collect(), life: Duration::from_secs(60) }
    }

    #[test]
    fn what_was_noted_is_found_again_and_the_file_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client/consul-default.tokens");
        let open = || TokenFile::open(Arc::new(RealDisk), &path).unwrap();
        let (file, found) = open();
        assert!(found.is_empty());
        file.note("a", kept(&["1"]));
        file.note("b", kept(&["2"]));
        file.note("a", kept(&["1", "3"]));
        file.note("b", Kept::default());
        drop(file);
        // The agent was killed in the middle of a line.
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&text[..], br#"{"service":"c","kept":{"tok"#].concat()).unwrap();
        let (file, found) = open();
        assert_eq!(found, BTreeMap::from([("a".to_owned(), kept(&["1", "3"]))]));
        for number in 0..20_000 {
            file.note("a", kept(&[&number.to_string(), "a token of the usual length, as Consul draws them"]));
        }
        let size = std::fs::metadata(&path).unwrap().len();
        assert!(size < SLACK_BYTES + 1_000, "{size}");
        drop(file);
        assert_eq!(open().1["a"].tokens[0].expose(), "19999");
    }
}

//! Files of an allocation, as users may read them: nothing outside of its folder, and none of its secrets.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read, Seek, SeekFrom},
    os::{
        fd::AsRawFd,
        unix::fs::{FileTypeExt, PermissionsExt},
    },
    path::{Component, Path, PathBuf},
    time::UNIX_EPOCH,
};

use drover_model::{
    rpc::{
        Error,
        client::{FileFrame, FileInfo, FsRead},
    },
    time::{Rfc3339, UnixNanos, nanos_of},
};
use drover_runtime::rpc::ItemSink;
use nix::fcntl::OFlag;

use crate::{isolation::beneath, limits};

pub(crate) use logs::logs;

mod logs;

/// Folders of a task that nobody reads through the agent.
const PROHIBITED: [&str; 2] = ["secrets", "private"];
/// Bytes that are looked at to tell what a file is.
const SNIFF_BYTES: usize = 512;

/// Opens a file or folder of an allocation to read.
pub(crate) fn open(root: &Path, path: &str) -> Result<File, Error> {
    let named = beneath::plain(Path::new(path)).map_err(|_| escaping())?;
    if is_prohibited(&named) {
        return Err(prohibited(path));
    }
    let file = beneath::open(root, &named, OFlag::O_RDONLY).map_err(|error| explain(root, &named, &error))?;
    // A link inside the folder may lead to a secret inside the folder, so the place where it ended counts too.
    let real = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap_or_default();
    let root = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    match real.strip_prefix(&root) {
        Ok(inside) if is_prohibited(inside) => Err(prohibited(path)),
        Ok(_) => Ok(file),
        Err(_) => Err(escaping()),
    }
}

/// `TASK/secrets/...`: the folder itself may be seen, its content not.
fn is_prohibited(path: &Path) -> bool {
    let mut names = path.components().filter_map(|component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let (_task, folder) = (names.next(), names.next());
    folder.is_some_and(|folder| PROHIBITED.contains(&folder))
}

fn escaping() -> Error {
    Error::bad_request("Path escapes the alloc directory")
}

fn prohibited(path: &str) -> Error {
    Error::new(403, format!("Reading secret file prohibited: {path}"))
}

fn explain(root: &Path, path: &Path, error: &io::Error) -> Error {
    if beneath::escapes(error) {
        return escaping();
    }
    let shown = root.file_name().map(PathBuf::from).unwrap_or_default().join(path);
    match error.kind() {
        io::ErrorKind::NotFound => Error::not_found(format!("stat {}: no such file or directory", shown.display())),
        _ => Error::internal(format!("open {}: {error}", shown.display())),
    }
}

pub(crate) fn list(root: &Path, path: &str) -> Result<Vec<FileInfo>, Error> {
    let folder = open(root, path)?;
    if !folder.metadata().is_ok_and(|meta| meta.is_dir()) {
        return Err(Error::internal(format!("{path} is not a folder")));
    }
    // Through the open folder: whatever its path has come to mean meanwhile.
    let entries =
        fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd())).map_err(|error| Error::internal(format!("{path}: {error}")))?;
    let mut found: Vec<FileInfo> = entries
        .flatten()
        .take(limits::LIST_ENTRIES)
        .filter_map(|entry| Some(info(entry.file_name().to_string_lossy().into_owned(), &entry.metadata().ok()?)))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

pub(crate) fn stat(root: &Path, path: &str) -> Result<FileInfo, Error> {
    let mut file = open(root, path)?;
    let meta = file.metadata().map_err(|error| Error::internal(format!("{path}: {error}")))?;
    let name = Path::new(path).file_name().map_or_else(|| "/".to_owned(), |name| name.to_string_lossy().into_owned());
    let mut info = info(name, &meta);
    if meta.is_file() {
        let mut start = vec![0; SNIFF_BYTES];
        let read = file.read(&mut start).unwrap_or(0);
        info.content_type = content_type(&start[..read]).to_owned();
    }
    Ok(info)
}

/// Never a type that a browser would run.
fn content_type(start: &[u8]) -> &'static str {
    let is_text = !start.contains(&0) && std::str::from_utf8(start).map_or_else(|error| error.error_len().is_none(), |_| true);
    if is_text { "text/plain; charset=utf-8" } else { "application/octet-stream" }
}

fn info(name: String, meta: &Metadata) -> FileInfo {
    let modified =
        meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(UnixNanos::NEVER, |since| UnixNanos(nanos_of(since)));
    let file_mode = mode_text(meta);
    FileInfo { name, is_dir: meta.is_dir(), size: meta.len(), file_mode, mod_time: Rfc3339(modified), content_type: String::new() }
}

/// As Go programs write it: the kind, then whether it is sticky or changes its user, then the permissions.
fn mode_text(meta: &Metadata) -> String {
    let (kind, mode) = (meta.file_type(), meta.permissions().mode());
    let kinds = [
        (kind.is_dir(), 'd'),
        (kind.is_symlink(), 'L'),
        (kind.is_block_device() || kind.is_char_device(), 'D'),
        (kind.is_fifo(), 'p'),
        (kind.is_socket(), 'S'),
        (mode & 0o4000 != 0, 'u'),
        (mode & 0o2000 != 0, 'g'),
        (kind.is_char_device(), 'c'),
        (mode & 0o1000 != 0, 't'),
    ];
    let mut text: String = kinds.iter().filter(|(is, _)| *is).map(|(_, letter)| *letter).collect();
    if text.is_empty() {
        text.push('-');
    }
    text.extend((0..9).map(|bit| if mode & (0o400 >> bit) != 0 { ['r', 'w', 'x'][bit % 3] } else { '-' }));
    text
}

/// Sends a part of a file, and with `follow` what is appended to it.
pub(crate) async fn read(root: &Path, request: &FsRead, sink: &ItemSink<FileFrame>) -> Result<(), Error> {
    let mut file = open(root, &request.path)?;
    let meta = file.metadata().map_err(|error| Error::internal(error.to_string()))?;
    if !meta.is_file() {
        return Err(Error::internal(format!("file {:?} is a directory", request.path)));
    }
    let mut offset = if request.from_end { meta.len().saturating_sub(request.offset) } else { request.offset };
    let mut left = request.limit.unwrap_or(u64::MAX);
    let name = request.path.trim_start_matches('/').to_owned();
    let mut silent = tokio::time::Instant::now();
    loop {
        let data = read_chunk(&mut file, offset, left)?;
        if !data.is_empty() {
            offset += data.len() as u64;
            left -= data.len() as u64;
            sink.send(&FileFrame { file: name.clone(), offset, data, file_event: String::new() }).await?;
            silent = tokio::time::Instant::now();
            continue;
        }
        if !request.follow || left == 0 {
            return Ok(());
        }
        if file.metadata().is_ok_and(|meta| meta.len() < offset) {
            offset = 0;
            sink.send(&FileFrame { file: name.clone(), file_event: "file truncated".to_owned(), ..FileFrame::default() }).await?;
        } else if is_deleted(&file) {
            return sink.send(&FileFrame { file: name, file_event: "file deleted".to_owned(), ..FileFrame::default() }).await;
        }
        breathe(sink, &mut silent).await?;
    }
}

fn is_deleted(file: &File) -> bool {
    file.metadata().is_ok_and(|meta| std::os::unix::fs::MetadataExt::nlink(&meta) == 0)
}

/// Waits a little for more; a stream that has been silent for long shows that it is alive.
async fn breathe(sink: &ItemSink<FileFrame>, silent: &mut tokio::time::Instant) -> Result<(), Error> {
    tokio::time::sleep(limits::FOLLOW_POLL).await;
    if silent.elapsed() >= limits::FOLLOW_HEARTBEAT {
        *silent = tokio::time::Instant::now();
        sink.send(&FileFrame::default()).await?;
    }
    Ok(())
}

fn read_chunk(file: &mut File, offset: u64, most: u64) -> Result<Vec<u8>, Error> {
    let failed = |error: io::Error| Error::internal(format!("the file could not be read: {error}"));
    let size = usize::try_from(most).unwrap_or(usize::MAX).min(limits::FRAME_BYTES);
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut data = Vec::new();
    file.take(size as u64).read_to_end(&mut data).map_err(failed)?;
    Ok(data)
}

#[cfg(test)]
mod tests;

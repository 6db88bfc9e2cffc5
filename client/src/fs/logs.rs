//! A task's log over all its numbered files, read as one.

use std::{fs::File, path::Path};

use drover_model::rpc::{
    Error,
    client::{FileFrame, LogRead},
};
use drover_runtime::rpc::ItemSink;
use tokio::{sync::watch, time::Instant};

use super::{breathe, list, open, read_chunk};

/// Where the logs are, beneath the allocation's folder.
const FOLDER: &str = "alloc/logs";

/// Sends the log from where it is asked for; with `follow` it goes on until the allocation has ended or nobody reads.
pub(crate) async fn logs(
    root: &Path,
    request: &LogRead,
    sink: &ItemSink<FileFrame>,
    ended: Option<watch::Receiver<bool>>,
) -> Result<(), Error> {
    let prefix = format!("{}.{}.", request.task, request.kind);
    let (mut index, mut offset) = start(root, &prefix, request)?;
    let mut silent = Instant::now();
    let mut file = None;
    loop {
        // Looked at before reading: what was written until then is still read.
        let over = ended.as_ref().is_none_or(|ended| *ended.borrow());
        if file.is_none() {
            file = open_at(root, &prefix, index)?;
        }
        let data = match &mut file {
            Some(file) => read_chunk(file, offset, u64::MAX)?,
            None => Vec::new(),
        };
        if !data.is_empty() {
            offset += data.len() as u64;
            sink.send(&FileFrame { file: format!("{FOLDER}/{prefix}{index}"), offset, data, file_event: String::new() }).await?;
            silent = Instant::now();
            continue;
        }
        if let Some(next) = numbers(root, &prefix)?.into_iter().map(|(number, _)| number).find(|number| *number > index) {
            (index, offset, file) = (next, 0, None);
            continue;
        }
        if !request.follow || over {
            return Ok(());
        }
        breathe(sink, &mut silent).await?;
    }
}

fn open_at(root: &Path, prefix: &str, index: u64) -> Result<Option<File>, Error> {
    match open(root, &format!("{FOLDER}/{prefix}{index}")) {
        Ok(file) if file.metadata().is_ok_and(|meta| meta.is_file()) => Ok(Some(file)),
        // Not begun, or gone already.
        Ok(_) => Ok(None),
        Err(error) if error.status == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

/// The log's files with their sizes, in order.
fn numbers(root: &Path, prefix: &str) -> Result<Vec<(u64, u64)>, Error> {
    let files = match list(root, FOLDER) {
        Ok(files) => files,
        Err(error) if error.status == 404 => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut found: Vec<(u64, u64)> =
        files.iter().filter_map(|file| Some((file.name.strip_prefix(prefix)?.parse().ok()?, file.size))).collect();
    found.sort_unstable();
    Ok(found)
}

/// The file and the place in it where reading starts.
fn start(root: &Path, prefix: &str, request: &LogRead) -> Result<(u64, u64), Error> {
    let files = numbers(root, prefix)?;
    let total: u64 = files.iter().map(|(_, size)| size).sum();
    let mut skip = if request.from_end { total.saturating_sub(request.offset) } else { request.offset };
    for (number, size) in &files {
        if skip < *size {
            return Ok((*number, skip));
        }
        skip -= size;
    }
    Ok(files.last().map_or((0, 0), |(number, size)| (*number, *size)))
}

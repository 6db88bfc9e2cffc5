//! The task's folders.
//!
//! A task owns its folders and may put links in their place, so they are only touched through descriptors that were opened without following one.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{OpenOptionsExt, PermissionsExt, fchown},
    },
    path::Path,
};

use drover_model::job::Task;
use drover_runtime::apart;
use drover_template::Ownership;
use nix::{fcntl::OFlag, unistd::User};

use super::HookError;
use crate::{drivers::TaskDirs, tasks::Scope};

/// Only the task's user and the agent look into secrets.
const SECRETS_MODE: u32 = 0o700;

pub(super) async fn prepare(scope: &Scope, task: &Task) -> Result<(), HookError> {
    let (dirs, user) = (scope.dirs.clone(), task.user.clone());
    let built = scope.folder(&scope.dirs.alloc_root).run(move |_| build(&dirs, &user)).await;
    let built = built.map_err(|error| error.to_string()).and_then(|built| built.map_err(|error| error.to_string()));
    built.map_err(|error| HookError::setup(scope, &format!("failed to build the task's directory: {error}")))
}

fn build(dirs: &TaskDirs, user: &str) -> io::Result<()> {
    let (data, shared_tmp) = (dirs.shared.join("data"), dirs.shared.join("tmp"));
    for folder in [&dirs.logs, &data, &shared_tmp, &dirs.local, &dirs.tmp, &dirs.secrets] {
        fs::create_dir_all(folder)?;
    }
    let open_to_all = [&dirs.shared, &data, &dirs.task, &dirs.local].map(|folder| (folder, 0o777));
    let temporary = [&shared_tmp, &dirs.tmp].map(|folder| (folder, 0o1777));
    for (folder, mode) in open_to_all.into_iter().chain(temporary).chain([(&dirs.secrets, SECRETS_MODE)]) {
        open(folder)?.set_permissions(Permissions::from_mode(mode))?;
    }
    // The folder belongs to whoever the task runs as; a user that does not exist is the driver's to complain about.
    if let Some(user) = User::from_name(user).ok().flatten().filter(|_| !user.is_empty()) {
        fchown(open(&dirs.secrets)?, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    }
    Ok(())
}

fn open(folder: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits()).open(folder)
}

/// What a dispatched job was sent.
pub(super) async fn write_payload(scope: &Scope, task: &Task) -> Result<(), HookError> {
    let Some(dispatch) = task.dispatch_payload.as_ref().filter(|dispatch| !dispatch.file.is_empty()) else { return Ok(()) };
    let allocation = scope.allocation();
    let path = Path::new(&scope.name).join("local").join(&dispatch.file);
    let payload = allocation.job.payload.clone();
    let written = scope.folder(&scope.dirs.alloc_root).write(&path, payload, 0o640, Ownership::default()).await;
    written.map(drop).map_err(|error| HookError::setup(scope, &format!("failed to write the dispatch payload: {error}")))
}

/// Takes everything out of the secrets' folder; the folder itself stays, empty.
pub(super) async fn remove_secrets(scope: &Scope) {
    let folder = scope.dirs.secrets.clone();
    // The task has ended, so its own folder takes no more work.
    if let Err(error) = apart(move || empty(&folder)).await.and_then(|emptied| emptied) {
        tracing::error!(task = ?scope, %error, "the secrets of a task that has ended could not be removed");
    }
}

fn empty(folder: &Path) -> io::Result<()> {
    let opened = match open(folder) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let through = format!("/proc/self/fd/{}", opened.as_raw_fd());
    for entry in fs::read_dir(through)? {
        let entry = entry?;
        // Of a link only the link is removed.
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn secrets_go_and_nothing_else_does() {
        let root = tempfile::tempdir().unwrap();
        let (secrets, outside) = (root.path().join("secrets"), root.path().join("outside"));
        fs::create_dir_all(secrets.join("deep")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "").unwrap();
        fs::write(secrets.join("deep/key"), "").unwrap();
        symlink(&outside, secrets.join("link")).unwrap();
        empty(&secrets).unwrap();
        assert_eq!(fs::read_dir(&secrets).unwrap().count(), 0);
        // A task that puts a link where its secrets were does not have the agent remove what the link leads to.
        fs::remove_dir(&secrets).unwrap();
        symlink(&outside, &secrets).unwrap();
        assert!(empty(&secrets).is_err());
        assert!(outside.join("file").exists());
    }
}

//! The task's folders.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
};

use drover_model::job::Task;
use drover_template::{Ownership, write_beneath};
use nix::unistd::User;

use super::HookError;
use crate::tasks::Scope;

/// Only the task's user and the agent look into secrets.
const SECRETS_MODE: u32 = 0o700;

pub(super) fn prepare(scope: &Scope, task: &Task) -> Result<(), HookError> {
    let build = || -> io::Result<()> {
        let dirs = &scope.dirs;
        for folder in [&dirs.shared.join("data"), &dirs.shared.join("tmp"), &dirs.logs, &dirs.local, &dirs.tmp, &dirs.secrets] {
            fs::create_dir_all(folder)?;
        }
        for (folder, mode) in [(&dirs.task, 0o777), (&dirs.local, 0o777), (&dirs.tmp, 0o1777), (&dirs.secrets, SECRETS_MODE)] {
            fs::set_permissions(folder, Permissions::from_mode(mode))?;
        }
        // The folder belongs to whoever the task runs as; a user that does not exist is the driver's to complain about.
        if let Some(user) = User::from_name(&task.user).ok().flatten().filter(|_| !task.user.is_empty()) {
            chown(&dirs.secrets, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        Ok(())
    };
    build().map_err(|error| HookError::setup(scope, &format!("failed to build the task's directory: {error}")))
}

/// What a dispatched job was sent.
pub(super) fn write_payload(scope: &Scope, task: &Task) -> Result<(), HookError> {
    let Some(dispatch) = task.dispatch_payload.as_ref().filter(|dispatch| !dispatch.file.is_empty()) else { return Ok(()) };
    let allocation = scope.allocation();
    let written = write_beneath(&scope.dirs.local, Path::new(&dispatch.file), &allocation.job.payload, 0o640, Ownership::default());
    written.map(drop).map_err(|error| HookError::setup(scope, &format!("failed to write the dispatch payload: {error}")))
}

/// Takes everything out of the secrets' folder; the folder itself stays, empty.
pub(super) fn remove_secrets(scope: &Scope) {
    if let Err(error) = empty(&scope.dirs.secrets) {
        tracing::error!(task = ?scope, %error, "the secrets of a task that has ended could not be removed");
    }
}

pub(crate) fn empty(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        // Of a link only the link is removed.
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    Ok(())
}

//! Commands that run beside a task, with its folder and environment.

use std::{process::Stdio, time::Duration};

use tokio::{io::AsyncReadExt, process::Command};

use super::launch::find_program;
use crate::{
    drivers::{DriverError, ExecOutput, TaskConfig},
    limits,
};

pub(super) async fn run(task: &TaskConfig, command: &[String], limit: Duration) -> Result<ExecOutput, DriverError> {
    let (name, arguments) = command.split_first().ok_or_else(|| DriverError::permanent("no command was given"))?;
    let program = find_program(name, task, task.env.get("PATH").map(String::as_str))?;
    let failed = |error: std::io::Error| DriverError::recoverable(format!("{name}: {error}"));
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let mut builder = Command::new(program);
    builder.args(arguments).env_clear().envs(&task.env).current_dir(&task.dirs.task).process_group(0).kill_on_drop(true);
    builder.stdin(Stdio::null()).stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    let mut child = builder.spawn().map_err(failed)?;
    drop(builder);
    let mut reader = tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into()).map_err(failed)?;
    let mut output = Vec::new();
    let work = async {
        // What does not fit is read and dropped, so that the command does not wait for it.
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = reader.read(&mut buffer).await {
            let room = limits::SCRIPT_OUTPUT_BYTES.saturating_sub(output.len());
            output.extend_from_slice(&buffer[..read.min(room)]);
        }
        child.wait().await
    };
    let status = tokio::time::timeout(limit, work).await;
    let status = status
        .map_err(|_| DriverError::recoverable(format!("{name} took longer than {}", crate::tasks::duration_text(limit))))?
        .map_err(failed)?;
    let code = std::os::unix::process::ExitStatusExt::signal(&status).map_or_else(|| status.code().unwrap_or(1), |signal| 128 + signal);
    Ok(ExecOutput { code, output })
}

//! One start: what the supervisor is told, and what it answers.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::{
        fs::{OpenOptionsExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::{
    fcntl::OFlag,
    unistd::{Gid, User, getgrouplist},
};

use super::{config::Config, orphans, shim::Shim};
use crate::drivers::{DriverError, TaskConfig};

/// Where programs are looked for when the task's environment does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Everything that a start needs, checked; running it blocks for about a millisecond.
pub(super) struct Launch {
    shim: PathBuf,
    arguments: Vec<OsString>,
    env: BTreeMap<String, String>,
    logs: PathBuf,
    status_folder: PathBuf,
    program: PathBuf,
    folder: PathBuf,
}

impl Launch {
    pub(super) fn prepare(
        task: &TaskConfig,
        config: &Config,
        status_folder: &Path,
        shim: &Shim,
        status: String,
    ) -> Result<Self, DriverError> {
        let env: BTreeMap<_, _> =
            task.env.iter().filter(|(key, _)| !denied(key, &config.denied_envvars)).map(|(k, v)| (k.clone(), v.clone())).collect();
        let folder = if config.work_dir.is_empty() { task.dirs.task.clone() } else { PathBuf::from(&config.work_dir) };
        let program = find_program(&config.command, task, env.get("PATH").map(String::as_str))?;
        let logged = |kind: &str| if task.logs.disabled { String::new() } else { format!("{}.{kind}", task.name) };
        let (stdout, stderr) = (logged("stdout"), logged("stderr"));
        let (uid, gid, groups) = identity(&task.user)?;
        let max_bytes = u64::from(task.logs.max_file_size_mib.max(1)) << 20;
        let indexes = [&stdout, &stderr].map(|name| newest_index(&task.dirs.logs, name).to_string());
        let [stdout_index, stderr_index] = indexes;
        let numbers = [task.logs.max_files.max(1).to_string(), max_bytes.to_string(), stdout_index, stderr_index];
        let mut arguments: Vec<OsString> =
            [status, stdout, stderr].into_iter().chain(numbers).chain([uid, gid, groups]).map(OsString::from).collect();
        arguments.push(folder.clone().into());
        arguments.push(config.oom_score_adj.map(|score| score.to_string()).unwrap_or_default().into());
        arguments.push(program.clone().into());
        arguments.push(config.command.clone().into());
        arguments.extend(config.args.iter().map(OsString::from));
        if arguments.iter().any(|argument| argument.as_encoded_bytes().contains(&0)) {
            return Err(DriverError::permanent("the command or one of its arguments holds a zero byte"));
        }
        let (logs, status_folder) = (task.dirs.logs.clone(), status_folder.to_owned());
        Ok(Self { shim: shim.path().to_owned(), arguments, env, logs, status_folder, program, folder })
    }

    /// The numbers of the supervisor and of the task.
    pub(super) fn run(self) -> Result<(u32, u32), DriverError> {
        let failed = |what: &str, error: io::Error| DriverError::recoverable(format!("{what}: {error}"));
        let logs = open_folder(&self.logs).map_err(|error| failed("the log folder cannot be opened", error))?;
        let status = open_folder(&self.status_folder).map_err(|error| failed("the driver's folder cannot be opened", error))?;
        let (mut answer, report) = io::pipe().map_err(|error| failed("no pipe", error))?;
        let mut command = Command::new(&self.shim);
        command
            .arg0(orphans::title(&self.status_folder))
            .args(&self.arguments)
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::from(logs))
            .stdout(report)
            .stderr(Stdio::from(status));
        // Whoever waits for the task takes note of the supervisor's end.
        let child = command.spawn().map_err(|error| failed("the supervisor of the task could not be started", error))?;
        // The command holds this end of the pipe too: it has to be gone for the answer to end.
        drop(command);
        let mut bytes = Vec::with_capacity(16);
        (&mut answer).take(16).read_to_end(&mut bytes).map_err(|error| failed("the supervisor did not answer", error))?;
        match bytes.first_chunk::<6>() {
            Some([b'S', _, pid @ ..]) => Ok((child.id(), u32::from_le_bytes(*pid))),
            Some([b'E', stage, errno @ ..]) => {
                let _ = nix::sys::wait::waitpid(super::pid(child.id()), None);
                Err(self.explain(*stage, i32::from_le_bytes(*errno)))
            }
            _ => Err(DriverError::recoverable("the supervisor of the task ended before it had started the task")),
        }
    }

    fn explain(&self, stage: u8, errno: i32) -> DriverError {
        let error = io::Error::from_raw_os_error(errno);
        let what = match stage {
            b'x' => format!("failed to execute {}", self.program.display()),
            b'd' => format!("failed to change to folder {}", self.folder.display()),
            b'u' => "failed to become the task's user".to_owned(),
            _ => "failed to prepare the task's process".to_owned(),
        };
        let text = format!("{what}: {error}");
        // A lack of processes, memory or descriptors passes.
        if matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock) {
            DriverError::recoverable(text)
        } else {
            DriverError::permanent(text)
        }
    }
}

fn open_folder(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

/// A denied name may end in `*`.
fn denied(name: &str, denied: &[String]) -> bool {
    denied.iter().any(|pattern| pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix)))
}

/// An absolute path as it is; else beneath the task's folder, then along the path.
pub(super) fn find_program(command: &str, task: &TaskConfig, path: Option<&str>) -> Result<PathBuf, DriverError> {
    let given = Path::new(command);
    if given.is_absolute() {
        return match fs::metadata(given) {
            Ok(_) => Ok(given.to_owned()),
            Err(error) => Err(DriverError::permanent(format!("failed to find the command {command:?}: {error}"))),
        };
    }
    let own = [task.dirs.local.join(given), task.dirs.task.join(given)];
    let along =
        path.unwrap_or(DEFAULT_PATH).split(':').filter(|folder| folder.starts_with('/')).map(|folder| Path::new(folder).join(given));
    let along = along.filter(|_| !command.contains('/'));
    let found = own
        .into_iter()
        .chain(along)
        .find(|file| fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0));
    found.ok_or_else(|| DriverError::permanent(format!("executable file {command:?} not found in the task's folder nor in its PATH")))
}

/// Numeric user, group and further groups; empty texts: the agent's own.
fn identity(user: &str) -> Result<(String, String, String), DriverError> {
    if user.is_empty() {
        return Ok(<(String, String, String)>::default());
    }
    let by_number = || user.parse().ok().and_then(|uid| User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten());
    let found = User::from_name(user).ok().flatten().or_else(by_number);
    let found = found.ok_or_else(|| DriverError::permanent(format!("user {user:?} does not exist on this node")))?;
    let name = std::ffi::CString::new(found.name.clone()).map_err(|_| DriverError::permanent("the user's name holds a zero byte"))?;
    let groups = getgrouplist(&name, found.gid).unwrap_or_else(|_| vec![found.gid]);
    let groups: Vec<String> = groups.into_iter().map(Gid::as_raw).map(|gid| gid.to_string()).collect();
    Ok((found.uid.to_string(), found.gid.to_string(), groups.join(",")))
}

/// A task that starts again goes on with its newest log file.
fn newest_index(folder: &Path, name: &str) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_prefix(name)?.strip_prefix('.')?.parse().ok();
    entries.flatten().filter_map(number).max().unwrap_or(0)
}

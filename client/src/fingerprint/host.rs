//! The operating system.

use std::{collections::BTreeMap, path::Path};

use nix::sys::utsname::uname;

use super::read;

/// Every signal that a task may be sent, as jobs name them.
const SIGNALS: &str = "SIGABRT,SIGALRM,SIGBUS,SIGCHLD,SIGCONT,SIGFPE,SIGHUP,SIGILL,SIGINT,SIGIO,SIGIOT,SIGKILL,SIGNULL,SIGPIPE,SIGPROF,SIGQUIT,SIGSEGV,\
SIGSTOP,SIGSYS,SIGTERM,SIGTRAP,SIGTSTP,SIGTTIN,SIGTTOU,SIGURG,SIGUSR1,SIGUSR2,SIGVTALRM,SIGWINCH,SIGXCPU,SIGXFSZ";

/// The machine's name.
pub(super) fn look(attributes: &mut BTreeMap<String, String>) -> String {
    let mut add = |key: &str, value: String| attributes.insert(key.to_owned(), value);
    let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
    let mut hostname = String::new();
    if let Ok(names) = uname() {
        hostname = text(names.nodename());
        add("kernel.name", text(names.sysname()).to_lowercase());
        add("kernel.version", text(names.release()));
        add("kernel.arch", text(names.machine()));
    }
    add("unique.hostname", hostname.clone());
    let release = read("/etc/os-release");
    let release = if release.is_empty() { read("/usr/lib/os-release") } else { release };
    add("os.name", release_field(&release, "ID").unwrap_or_else(|| "linux".to_owned()));
    let version = read("/etc/debian_version");
    let from_debian = version.trim().starts_with(|c: char| c.is_ascii_digit()) && release.contains("ID=debian");
    add("os.version", if from_debian { version.trim().to_owned() } else { release_field(&release, "VERSION_ID").unwrap_or_default() });
    add("os.signals", SIGNALS.to_owned());
    add("os.cgroups.version", if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() { "2" } else { "1" }.to_owned());
    let machine = read("/etc/machine-id");
    if let Some(id) = host_id(machine.trim()) {
        add("unique.host_id", id);
    }
    hostname
}

fn release_field(text: &str, name: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// The machine's id in the form of other ids.
fn host_id(text: &str) -> Option<String> {
    uuid::Uuid::try_parse(text).ok().map(|id| id.to_string())
}

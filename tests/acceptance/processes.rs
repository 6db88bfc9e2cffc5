//! Processes that a test starts, and ends.

use std::{
    fs::File,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::time::Instant;

const END_LIMIT: Duration = Duration::from_secs(20);

/// A program on PATH.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Ports that were free a moment ago.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: Vec<TcpListener> = (0..N).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    std::array::from_fn(|index| listeners[index].local_addr().unwrap().port())
}

/// A process that ends with the test.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    pub(crate) log: PathBuf,
}

impl Process {
    pub(crate) fn start(name: &'static str, folder: &Path, mut command: Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        // One that is started again goes on where it was.
        let file = File::options().create(true).append(true).open(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).current_dir(folder);
        for inherited in ["AWS_CA_BUNDLE", "NOMAD_TOKEN", "VAULT_TOKEN", "CONSUL_HTTP_TOKEN", "CONSUL_HTTP_ADDR", "VAULT_ADDR"] {
            command.env_remove(inherited);
        }
        // A group of its own, so that Ctrl-C reaches the test first, which then ends it.
        let child = command.process_group(0).spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name, child, log }
    }

    /// Ends it without a word, as a crash does.
    pub(crate) fn crash(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let end = Instant::now() + END_LIMIT;
        while Instant::now() < end {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        println!("{} did not end within {} s of SIGTERM and was killed", self.name, END_LIMIT.as_secs());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! One watcher: asks, waits for a change, asks again, for as long as somebody listens.

use std::{
    io::{self, Read as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use drover_client::templates::TaskContext;
use drover_integrations::{Error, Query};
use drover_model::secret::SecretText;
use drover_template::{Data, Dependency, Observed, SourceError};
use tokio::sync::watch;

use super::{Neighbours, Sender};

/// The shortest time between two questions: an answer that comes without any change must not make a busy loop.
pub(super) const LEAST_PAUSE: Duration = Duration::from_millis(10);
/// After the first failure; doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// How often what cannot be waited for is looked at.
const POLL: Duration = Duration::from_secs(30);
/// An answer with nothing new that came sooner was not waited for.
const SHORT_WAIT: Duration = Duration::from_secs(1);
const FILE_POLL: Duration = Duration::from_secs(2);
/// The largest file that a template may read.
const MAX_FILE_BYTES: usize = 16 << 20;

pub(super) struct Watcher {
    pub(super) neighbours: Neighbours,
    pub(super) task: Arc<TaskContext>,
    pub(super) out: Sender,
}

/// Ever longer pauses between attempts that fail.
pub(super) struct Retry(Duration);

impl Retry {
    pub(super) fn new() -> Self {
        Self(FIRST_RETRY)
    }

    pub(super) fn reset(&mut self) {
        self.0 = FIRST_RETRY;
    }

    /// The next pause, spread so that many watchers do not come back together.
    pub(super) fn next(&mut self, neighbours: &Neighbours) -> Duration {
        let pause = self.0 / 2 + neighbours.runtime.random.jitter(self.0 / 2);
        self.0 = (self.0 * 2).min(LONGEST_RETRY);
        pause
    }
}

impl Watcher {
    /// Watches until dropped. Returns when nothing new can come.
    pub(super) async fn watch(&self, dependency: Dependency, previous: Vec<u8>) {
        match &dependency {
            Dependency::SecretRead { path, version } => self.watch_secret(path, version.as_deref()).await,
            Dependency::SecretWrite { path, data } => self.watch_written(path, data).await,
            Dependency::SecretList { path } => self.watch_secret_names(path).await,
            Dependency::PkiCert { path, data } => self.watch_certificate(path, data, &previous).await,
            Dependency::File { path } => self.watch_file(path).await,
            Dependency::Datacenters { ignore_failing } => self.poll_datacenters(*ignore_failing).await,
            _ => self.watch_question(&dependency).await,
        }
    }

    /// Publishes a value, unless it is the one that is known.
    pub(super) fn publish(&self, data: Data) {
        self.out.send_if_modified(|observed| {
            let is_same = observed.data.as_deref() == Some(&data);
            let was_well = observed.error.take().is_none();
            if !is_same {
                *observed = Observed::data(data);
            }
            !(is_same && was_well)
        });
    }

    /// Notes a failure. The last value stays.
    pub(super) fn fail(&self, error: SourceError) {
        self.out.send_if_modified(|observed| {
            let is_news = observed.error.as_ref() != Some(&error);
            observed.error = Some(error);
            is_news
        });
    }

    pub(super) fn fail_for_good(&self, text: impl Into<String>) {
        self.fail(SourceError::permanent(text));
    }

    /// Notes what went wrong; false when no later attempt can succeed.
    pub(super) fn note(&self, error: &Error) -> bool {
        let is_final = matches!(error, Error::Configuration { .. } | Error::Unsupported { .. });
        self.fail(SourceError { text: error.to_string(), is_final });
        !is_final
    }

    /// Follows what can be waited for.
    async fn watch_question(&self, dependency: &Dependency) {
        let ask = match self.question(dependency) {
            Ok(ask) => ask,
            Err(text) => return self.fail_for_good(text),
        };
        let (mut index, mut retry) = (0, Retry::new());
        let may_not_wait = may_not_wait(dependency);
        loop {
            let query = Query { index, wait: self.neighbours.longest_wait, ..Query::now().stale(self.neighbours.max_stale) };
            let asked = tokio::time::Instant::now();
            match ask(query).await {
                Ok(answer) => {
                    retry.reset();
                    let has_waited = !may_not_wait || has_waited(index, answer.index, asked.elapsed());
                    index = answer.next_index(index);
                    self.publish(answer.data);
                    tokio::time::sleep(if has_waited { LEAST_PAUSE } else { POLL }).await;
                }
                Err(error) => {
                    if !self.note(&error) {
                        return;
                    }
                    if error.is_forbidden() {
                        self.task.consul_doubt.notify_one();
                    }
                    // Nothing says that the peer that comes back counts on from where it was.
                    index = 0;
                    pause_or_new_token(retry.next(&self.neighbours), &self.task.consul_token).await;
                }
            }
        }
    }

    async fn poll_datacenters(&self, ignore_failing: bool) {
        let mut retry = Retry::new();
        loop {
            let Some(cluster) = self.consul() else { return self.fail_for_good("no Consul is configured") };
            let names = cluster.catalogue(&self.consul_access()).datacenters().await;
            let pause = match names {
                Ok(names) => {
                    retry.reset();
                    self.publish(Data::Names(names));
                    POLL
                }
                Err(_) if ignore_failing => POLL,
                Err(error) if self.note(&error) => retry.next(&self.neighbours),
                Err(_) => return,
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// A file of the task's folder; of anywhere when its operator allows that.
    async fn watch_file(&self, path: &str) {
        loop {
            let (root, path, anywhere) = (self.task.task_dir.clone(), path.to_owned(), self.task.disable_file_sandbox);
            let read = tokio::task::spawn_blocking(move || read_file(&root, &path, anywhere)).await;
            match read {
                Ok(Ok(bytes)) => self.publish(Data::File(bytes)),
                Ok(Err(error)) => self.fail(error),
                Err(_) => self.fail(SourceError::retried("reading the file was cut off")),
            }
            tokio::time::sleep(FILE_POLL).await;
        }
    }
}

/// Whether some Consuls answer this at once, whatever the question says.
fn may_not_wait(dependency: &Dependency) -> bool {
    use Dependency::{ExportedServices, ImportedServices, Partitions, Peerings};
    matches!(dependency, Partitions | Peerings { .. } | ExportedServices { .. } | ImportedServices { .. })
}

/// Whether whoever was asked to wait for something newer than `index` does so: it gives indexes, and the same one not before a while.
fn has_waited(index: u64, answered: u64, took: Duration) -> bool {
    answered != 0 && (answered != index || took >= SHORT_WAIT)
}

/// Waits before another attempt; a new token is worth one at once.
pub(super) async fn pause_or_new_token(pause: Duration, token: &watch::Receiver<SecretText>) {
    let mut token = token.clone();
    token.mark_unchanged();
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        Ok(()) = token.changed() => {}
    }
}

fn read_file(root: &Path, path: &str, anywhere: bool) -> Result<Vec<u8>, SourceError> {
    let failed = |error: &dyn std::fmt::Display| SourceError::permanent(format!("file({path}): {error}"));
    let missing = || SourceError::permanent(format!("file({path}): stat {path}: no such file or directory"));
    if anywhere {
        // A relative path starts where the task does.
        return match std::fs::File::open(root.join(path)) {
            Ok(file) => read_bounded(file).map_err(|error| failed(&error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing()),
            Err(error) => Err(failed(&error)),
        };
    }
    // An absolute path names the same file as seen from outside the task.
    let relative = Path::new(path).strip_prefix(root).unwrap_or_else(|_| Path::new(path));
    match drover_template::read_beneath(root, relative, MAX_FILE_BYTES) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(missing()),
        Err(error) => Err(failed(&error)),
    }
}

fn read_bounded(file: std::fs::File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_FILE_BYTES { Err(io::Error::other("it is too large")) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_waited_for_is_polled() {
        for (asked_after, answered, milliseconds, want) in [
            (0, 7, 1, true),
            (7, 8, 1, true),
            (7, 7, 300_000, true),
            (7, 3, 1, true),
            // No index at all, and one that never grows.
            (0, 0, 1, false),
            (1, 0, 1, false),
            (7, 7, 1, false),
        ] {
            assert_eq!(has_waited(asked_after, answered, Duration::from_millis(milliseconds)), want, "{asked_after} -> {answered}");
        }
        let scope = drover_template::Scope::default;
        assert!(may_not_wait(&Dependency::Partitions) && may_not_wait(&Dependency::Peerings { scope: scope() }));
        assert!(!may_not_wait(&Dependency::Services { scope: scope() }));
    }
}

//! `drover bench template`: a key is changed, and the time is taken until every watcher's file has the new text.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use drover_agent::render::{self, Event, Neighbourhood, Renderer, Template};
use drover_api::{Client, Options};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::{
    commands::template::{render::replace, servers::HttpServers},
    context::Reach,
    exit::Exit,
    output::Table,
};

/// A change that takes longer than this is no longer a measurement.
const LIMIT: Duration = Duration::from_secs(30);
/// Between changes, so that each is a first one and no part of a burst.
const PAUSE: Duration = Duration::from_millis(150);

/// Against the Consul of CONSUL_HTTP_ADDR, else the key-value store of the agent
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// How often the key is changed
    #[arg(long, value_name = "N", default_value_t = 100)]
    changes: u32,
    /// How many templates watch it, each with a file of its own
    #[arg(long, value_name = "N", default_value_t = 1)]
    watchers: usize,
    /// The key that is written, and deleted at the end
    #[arg(long, default_value = "drover/bench/template")]
    key: String,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        ensure!(self.changes > 0 && self.watchers > 0, "-changes and -watchers must be above 0");
        let config = render::config(Vec::new(), &|name| std::env::var(name).ok())?;
        let agent = reach.client()?;
        // Consul's key-value store is spoken to at the same paths.
        let store = match std::env::var("CONSUL_HTTP_ADDR").ok().filter(|address| !address.is_empty()) {
            Some(address) => {
                let address = if address.contains("://") { address } else { format!("http://{address}") };
                Client::new(Options { address: Some(address), ..Options::default() })?
            }
            None => agent.clone(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the async runtime")?;
        runtime.block_on(async {
            let folder = Folder::new()?;
            let neighbourhood = Neighbourhood::new(config, Arc::new(HttpServers(agent)))?;
            store.kv_put(&self.key, b"begin".to_vec(), None).await?;
            let (written, mut changed) = mpsc::channel(self.watchers);
            for index in 0..self.watchers {
                self.watch(&neighbourhood, folder.0.join(index.to_string()), &written)?;
            }
            let times = self.measure(&store, &mut changed).await;
            store.kv_delete(&self.key, false).await?;
            drop(changed);
            neighbourhood.leave().await;
            self.show(store.address(), times?);
            Ok(Exit::Ok)
        })
    }

    /// Starts one watcher. It ends when its renderer does, which ends with the process.
    fn watch(&self, neighbourhood: &Neighbourhood, path: PathBuf, written: &mpsc::Sender<Result<Vec<u8>>>) -> Result<()> {
        let text = format!("{{{{ key {:?} }}}}", self.key);
        let renderer = Renderer::new(neighbourhood, Template { text, ..Template::default() }, BTreeMap::new())?;
        let (sender, mut events) = mpsc::channel(4);
        tokio::spawn(renderer.run(sender));
        let written = written.clone();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                let outcome = match event {
                    Event::Rendered(text) => replace(&path, &text).map(|()| text.to_vec()).context("cannot write a file"),
                    Event::Failed { failure, .. } => Err(failure.into()),
                    Event::Missing { .. } | Event::Warning { .. } | Event::Recovered(_) => continue,
                };
                if written.send(outcome).await.is_err() {
                    return;
                }
            }
        });
        Ok(())
    }

    /// The times of all changes, from before the write to the last watcher's file.
    async fn measure(&self, store: &Client, changed: &mut mpsc::Receiver<Result<Vec<u8>>>) -> Result<Vec<Duration>> {
        self.wait_for(b"begin", changed).await?;
        let mut times = Vec::new();
        for change in 0..self.changes {
            tokio::time::sleep(PAUSE).await;
            let value = format!("value {change}").into_bytes();
            let begin = Instant::now();
            store.kv_put(&self.key, value.clone(), None).await?;
            self.wait_for(&value, changed).await?;
            times.push(begin.elapsed());
        }
        times.sort();
        Ok(times)
    }

    async fn wait_for(&self, value: &[u8], changed: &mut mpsc::Receiver<Result<Vec<u8>>>) -> Result<()> {
        let mut missing = self.watchers;
        while missing > 0 {
            let next = timeout(LIMIT, changed.recv()).await;
            let next = next.map_err(|_| anyhow::anyhow!("{missing} files did not change within {LIMIT:?}"))?;
            match next {
                Some(text) => missing -= usize::from(text? == value),
                None => bail!("the watchers have ended"),
            }
        }
        Ok(())
    }

    fn show(&self, address: &str, times: Vec<Duration>) {
        let at = |part: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a rank in a short list"
            )]
            let rank = ((times.len() as f64 * part).ceil() as usize).clamp(1, times.len());
            format!("{:.2} ms", times[rank - 1].as_secs_f64() * 1000.0)
        };
        println!("{} changes of one key at {address}, {} watchers, each until the last file had the new text", times.len(), self.watchers);
        let mut table = Table::new(["p50", "p90", "p99", "worst"]);
        table.row([at(0.5), at(0.9), at(0.99), at(1.0)]);
        table.print();
    }
}

/// A folder for the watchers' files, which goes away with them.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("drover-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let path: &Path = &self.0;
        let _ = std::fs::remove_dir_all(path);
    }
}

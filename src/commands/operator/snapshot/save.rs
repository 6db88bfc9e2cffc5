//! `drover operator snapshot save`

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use anyhow::{Context as _, Result};
use drover_agent::backup;
use drover_runtime::Clock as _;
use futures::StreamExt;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Where to write it [default: nomad-state-TIME.snap]
    file: Option<PathBuf>,
    /// Any server may give its own state, even when nobody leads
    #[arg(long)]
    stale: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        let path = self.file.unwrap_or_else(|| PathBuf::from(format!("nomad-state-{}.snap", drover_runtime::RealClock.now().seconds())));
        // It is whole under its name, or not there at all.
        let partial = path.with_extension("partial");
        let failed = || format!("cannot write {}", path.display());
        block_on(async {
            let query: &[(&str, &str)] = if self.stale { &[("stale", "true")] } else { &[] };
            let mut pieces = std::pin::pin!(client.stream("/v1/operator/snapshot", query).await?);
            // Others may not read it: it holds the keys that secrets are encrypted with.
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial).with_context(failed)?;
            while let Some(piece) = pieces.next().await {
                file.write_all(&piece?).with_context(failed)?;
            }
            file.sync_all().with_context(failed)?;
            let checked = backup::inspect(&super::read(&partial)?);
            let inspection = checked.inspect_err(|_| drop(fs::remove_file(&partial))).context("the snapshot arrived damaged")?;
            fs::rename(&partial, &path).with_context(failed)?;
            println!("State file written to {}: index {}, {} bytes", path.display(), inspection.meta.index, inspection.size);
            Ok(Exit::Ok)
        })
    }
}

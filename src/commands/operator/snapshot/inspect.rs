//! `drover operator snapshot inspect`

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use drover_agent::backup;

use crate::{
    context::Reach,
    exit::Exit,
    output::{self, Pairs, Shown, Table},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, _reach: &Reach) -> Result<Exit> {
        let inspection = backup::inspect(&super::read(&self.file)?).with_context(|| self.file.display().to_string())?;
        if self.shown.print(&inspection)? {
            return Ok(Exit::Ok);
        }
        let meta = &inspection.meta;
        let mut pairs = Pairs::default();
        pairs.add("Index", meta.index).add("Term", meta.term).add("Taken at", output::date(meta.taken_at.0));
        pairs.add("Region", &meta.region).add("Version", &meta.version).add("Size", inspection.size);
        pairs.print();
        println!();
        let mut table = Table::new(["Type", "Count"]);
        inspection.rows.iter().for_each(|(kind, count)| table.row([(*kind).to_owned(), count.to_string()]));
        table.print();
        Ok(Exit::Ok)
    }
}

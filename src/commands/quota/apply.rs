//! `drover quota apply`

use anyhow::{Context, Result};
use drover_jobspec::Document;
use drover_model::quota::QuotaSpec;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    specfile,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// A file that describes the quota (- for standard input)
    file: String,
    /// The file is JSON, not HCL
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let quota: QuotaSpec = specfile::read(Document::Quota, &self.file, self.json)?;
        let client = reach.client()?;
        block_on(async {
            client.put_quota(&quota).await.with_context(|| format!("cannot apply quota {:?}", quota.name))?;
            println!("Successfully applied quota specification {:?}!", quota.name);
            Ok(Exit::Ok)
        })
    }
}

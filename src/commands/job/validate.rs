//! `drover job validate`

use anyhow::{Result, bail};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    jobfile::JobFile,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    file: JobFile,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let read = self.file.read(reach.namespace())?;
        let client = reach.client()?;
        let answer = block_on(async { Ok(client.validate(&read.job).await?.data) })?;
        if !answer.warnings.is_empty() {
            eprintln!("Warnings:\n\n{}\n", answer.warnings);
        }
        if !answer.error.is_empty() {
            bail!("{}", answer.error);
        }
        println!("Job validation successful");
        Ok(Exit::Ok)
    }
}

//! `drover var init`

use anyhow::Result;

use crate::{context::Reach, exit::Exit, specfile};

const EXAMPLE: &str = r#"{
  "Path": "nomad/jobs/example",
  "Items": {
    "user": "me",
    "password": "change this"
  }
}
"#;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The file to write
    #[arg(default_value = "spec.nv.json")]
    file: String,
}

impl Args {
    pub(crate) fn run(self, _reach: &Reach) -> Result<Exit> {
        specfile::write_example("variable", &self.file, EXAMPLE)?;
        Ok(Exit::Ok)
    }
}

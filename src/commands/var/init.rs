//! `drover var init`

use std::{fs::OpenOptions, io::Write};

use anyhow::{Context, Result};

use crate::{context::Reach, exit::Exit};

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
        let made = OpenOptions::new().write(true).create_new(true).open(&self.file);
        let mut file = made.with_context(|| format!("cannot make {} (a file that is there is not written over)", self.file))?;
        file.write_all(EXAMPLE.as_bytes()).with_context(|| format!("cannot write {}", self.file))?;
        println!("Example variable specification written to {}", self.file);
        Ok(Exit::Ok)
    }
}

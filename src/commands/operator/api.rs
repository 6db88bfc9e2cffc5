//! `drover operator api`

use std::io::{Read, Write};

use anyhow::{Context, Result};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

/// A body above this is refused.
const BODY_LIMIT: u64 = 64 << 20;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The path, such as /v1/jobs?prefix=web
    path: String,
    /// The method; PUT when standard input is read, else GET
    #[arg(short = 'X', value_name = "METHOD")]
    x: Option<String>,
    /// Send standard input as the body
    #[arg(long)]
    stdin: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        let mut body = Vec::new();
        if self.stdin {
            std::io::stdin().lock().take(BODY_LIMIT).read_to_end(&mut body).context("cannot read standard input")?;
        }
        let method = self.x.as_deref().unwrap_or(if self.stdin { "PUT" } else { "GET" });
        let path = if self.path.starts_with('/') { self.path.clone() } else { format!("/v1/{}", self.path) };
        block_on(async {
            let answer = client.raw(method, &path, &[], body).await?.data;
            std::io::stdout().write_all(&answer)?;
            println!();
            Ok(Exit::Ok)
        })
    }
}

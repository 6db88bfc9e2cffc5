//! `drover secret put`

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The path: secret/NAMESPACE/JOB/NAME
    path: String,
    /// The fields; a value `@FILE` reads a file, `-` standard input
    #[arg(required = true, value_name = "KEY=VALUE")]
    fields: Vec<String>,
    /// Only when the newest version is this (0: only when there is none)
    #[arg(long, value_name = "VERSION")]
    cas: Option<u64>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let written = client.secret_put(&self.path, &fields(&self.fields)?, self.cas).await?;
            println!("Success! {} is at version {}", self.path, written.version);
            Ok(Exit::Ok)
        })
    }
}

fn fields(words: &[String]) -> Result<BTreeMap<String, String>> {
    let field = |(position, word): (usize, &String)| {
        // The word itself may hold the secret, so an error only says which one it is.
        let (key, value) = word.split_once('=').with_context(|| format!("field {} is not KEY=VALUE", position + 1))?;
        let value = String::from_utf8(crate::context::value(value)?).with_context(|| format!("the value of {key} is not text"))?;
        Ok((key.to_owned(), value))
    };
    words.iter().enumerate().map(field).collect()
}

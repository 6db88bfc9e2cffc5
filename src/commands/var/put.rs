//! `drover var put`

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::Out;
use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The path, then items as KEY=VALUE; or @FILE or - with the whole variable as JSON, then items that go over its own
    #[arg(required = true, value_name = "PATH|@FILE|KEY=VALUE")]
    words: Vec<String>,
    /// Only when its index is this (0: only when there is none)
    #[arg(long, value_name = "INDEX")]
    check_index: Option<u64>,
    /// Write whatever index a file says
    #[arg(long, conflicts_with = "check_index")]
    force: bool,
    /// How a file is written (json)
    #[arg(long = "in", value_name = "FORMAT", default_value = "json", hide_default_value = true)]
    input: String,
    /// table, json or none
    #[arg(long, value_enum, default_value = "none", hide_default_value = true)]
    out: Out,
}

/// A variable as a file has it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Specification {
    path: String,
    modify_index: Option<u64>,
    items: BTreeMap<String, String>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let Specification { path, modify_index, items } = self.specification()?;
        if path.is_empty() {
            bail!("there is no path: give one before the items, or in the file");
        }
        if items.is_empty() {
            bail!("{path}: there is nothing to write; give items as KEY=VALUE");
        }
        // What was read from a cluster is written back there only when nobody else was quicker.
        let check = self.check_index.or_else(|| modify_index.filter(|_| !self.force));
        let client = reach.client()?;
        block_on(async {
            let written = client.variable_put(&path, &items, check).await.map_err(|error| super::refused(&path, error))?;
            if self.out == Out::None {
                println!("Created variable \"{path}\" with modify index {}", written.metadata.modify_index);
            }
            super::print(&written, self.out)?;
            Ok(Exit::Ok)
        })
    }

    fn specification(&self) -> Result<Specification> {
        if self.input != "json" {
            bail!("-in {}: files with variables are read as JSON", self.input);
        }
        let mut specification = Specification::default();
        for (position, word) in self.words.iter().enumerate() {
            if word == "-" || word.starts_with('@') {
                let bytes = crate::context::value(word)?;
                let read: Specification =
                    drover_model::json::from_slice(&bytes).with_context(|| format!("{word} is no variable in JSON"))?;
                if specification.path.is_empty() {
                    specification.path = read.path;
                }
                specification.modify_index = read.modify_index;
                specification.items.extend(read.items);
                continue;
            }
            match word.split_once('=') {
                Some((key, value)) if !key.is_empty() => {
                    let value =
                        String::from_utf8(crate::context::value(value)?).with_context(|| format!("the value of {key} is not text"))?;
                    specification.items.insert(key.to_owned(), value);
                }
                None if position == 0 => specification.path = word.clone(),
                // The word itself may hold a secret, so an error only says which one it is.
                _ => bail!("word {} is no item: write KEY=VALUE", position + 1),
            }
        }
        Ok(specification)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<(String, Vec<(String, String)>)> {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let args = Args { words, check_index: None, force: false, input: "json".to_owned(), out: Out::None };
        args.specification().map(|read| (read.path, read.items.into_iter().collect()))
    }

    #[test]
    fn words_are_a_path_and_items() {
        let (path, items) = read(&["a/b", "x=1=2", "y="]).unwrap();
        assert_eq!((path.as_str(), items), ("a/b", vec![("x".into(), "1=2".into()), ("y".into(), String::new())]));
        let error = read(&["a/b", "hunter2"]).unwrap_err().to_string();
        assert!(error.contains("word 2") && !error.contains("hunter2"), "{error}");
    }
}

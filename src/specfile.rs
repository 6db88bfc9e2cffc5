//! Reading what `apply` and `create` take beside jobs: files in HCL or JSON.

use std::{fs::OpenOptions, io::Write, path::Path};

use anyhow::{Context, Result, bail};
use drover_jobspec::Document;
use serde::de::DeserializeOwned;

use crate::context;

/// Whether a word is a file (or `-`, standard input) and not the name of something.
pub(crate) fn is_file(word: &str) -> bool {
    word == "-" || Path::new(word).is_file()
}

/// Reads a file (or standard input). JSON is as the API takes it; HCL never begins with a brace, so nobody has to say which it is.
pub(crate) fn read<T: DeserializeOwned>(document: Document, path: &str, is_json: bool) -> Result<T> {
    let bytes = context::content(path)?;
    if is_json || bytes.trim_ascii_start().starts_with(b"{") {
        return drover_model::json::from_slice(&bytes).with_context(|| format!("{path} is not the JSON that is wanted"));
    }
    let text = String::from_utf8(bytes).with_context(|| format!("{path} is not text"))?;
    match drover_jobspec::parse_document(document, &text, path) {
        Ok(read) => serde_json::from_value(read).with_context(|| format!("{path} says what cannot be")),
        Err(problems) => {
            eprintln!("{}", drover_jobspec::to_terminal_text(&problems).trim_end());
            bail!("{path} has {} problem{}; nothing was changed", problems.len(), if problems.len() == 1 { "" } else { "s" })
        }
    }
}

/// Writes an example for `apply` or `create` to a file that must not be there yet.
pub(crate) fn write_example(what: &str, file: &str, example: &str) -> Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).open(file);
    let mut made = made.with_context(|| format!("cannot make {file} (a file that is there is not written over)"))?;
    made.write_all(example.as_bytes()).with_context(|| format!("cannot write {file}"))?;
    println!("Example {what} specification written to {file}");
    Ok(())
}

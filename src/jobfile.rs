//! Reading a job file: from a path or standard input, as HCL or JSON, with its variables.

use std::{collections::BTreeMap, io::Read, path::Path};

use anyhow::{Context, Result, bail};
use clap::Args;
use drover_jobspec::{ENVIRONMENT_PREFIX, LocalFiles, MAX_SOURCE_BYTES, ParseOptions, VariableFile};
use drover_model::{job::JobSubmission, spec::JobSpec};
use drover_runtime::{Random as _, random::OsRandom};

/// The job file and its variables.
#[derive(Args, Clone, Debug)]
pub(crate) struct JobFile {
    /// The job file; `-` reads standard input
    path: String,
    /// The file is JSON, not HCL
    #[arg(long)]
    json: bool,
    /// Set a variable
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<String>,
    /// Read variables from a file
    #[arg(long = "var-file", value_name = "FILE")]
    variable_files: Vec<String>,
    /// Take undefined variables in files as errors (the default)
    #[arg(long, hide = true)]
    hcl2_strict: bool,
}

/// A job with what it was read from.
#[derive(Debug)]
pub(crate) struct ReadJob {
    pub(crate) job: JobSpec,
    pub(crate) submission: JobSubmission,
}

impl JobFile {
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Reads and parses. Every problem is printed with its place; the error only counts them.
    pub(crate) fn read(&self, namespace: Option<&str>) -> Result<ReadJob> {
        let source = self.source()?;
        let mut read = if self.json { read_json(&source)? } else { self.parse(source)? };
        if let Some(namespace) = namespace {
            read.job.namespace.get_or_insert_with(|| namespace.to_owned());
        }
        Ok(read)
    }

    fn source(&self) -> Result<String> {
        let mut text = String::new();
        let read = if self.path == "-" {
            std::io::stdin().lock().take((MAX_SOURCE_BYTES as u64) + 1).read_to_string(&mut text).context("cannot read standard input")?
        } else {
            let file = std::fs::File::open(&self.path).with_context(|| format!("cannot open {}", self.path))?;
            file.take((MAX_SOURCE_BYTES as u64) + 1).read_to_string(&mut text).with_context(|| format!("cannot read {}", self.path))?
        };
        if read as u64 > (MAX_SOURCE_BYTES as u64) {
            bail!("{} is larger than {} KiB, the most a job file may have", self.path, (MAX_SOURCE_BYTES as u64) >> 10);
        }
        Ok(text)
    }

    fn parse(&self, source: String) -> Result<ReadJob> {
        let flags = self.flags()?;
        let base = Path::new(&self.path).parent().unwrap_or_else(|| Path::new("")).to_path_buf();
        let files = LocalFiles { base, home: std::env::home_dir() };
        let options = ParseOptions {
            file_name: self.path.clone(),
            variables: flags.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            variable_files: self.variable_files.iter().map(|path| variable_file(path)).collect::<Result<_>>()?,
            environment: std::env::vars().filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX)).collect(),
            strict: true,
            files: Some(&files),
            random: Some(&|bytes| OsRandom.fill(bytes)),
        };
        match drover_jobspec::parse(&source, &options) {
            Ok((job, warnings)) => {
                eprint!("{}", drover_jobspec::to_terminal_text(&warnings));
                let submission = JobSubmission {
                    source,
                    format: "hcl2".to_owned(),
                    variable_flags: flags.into(),
                    variables: options.variable_files.iter().map(|file| file.content.as_str()).collect::<Vec<_>>().join("\n"),
                };
                Ok(ReadJob { job, submission })
            }
            Err(problems) => {
                eprintln!("{}", drover_jobspec::to_terminal_text(&problems).trim_end());
                bail!("{} has {} problem{}; nothing was registered", self.path, problems.len(), if problems.len() == 1 { "" } else { "s" })
            }
        }
    }

    fn flags(&self) -> Result<BTreeMap<String, String>> {
        let pair = |flag: &String| {
            let (name, value) = flag.split_once('=').with_context(|| format!("-var {flag:?} is not NAME=VALUE"))?;
            Ok((name.trim().to_owned(), value.to_owned()))
        };
        self.variables.iter().map(pair).collect()
    }
}

fn variable_file(path: &str) -> Result<VariableFile> {
    let content = std::fs::read_to_string(path).with_context(|| format!("cannot read the variables in {path}"))?;
    Ok(VariableFile { name: path.to_owned(), content })
}

/// Either the job itself or `{"Job": ...}`, as the API takes it.
fn read_json(source: &str) -> Result<ReadJob> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Wrapped {
        job: JobSpec,
    }
    let job = match drover_model::json::from_slice::<Wrapped>(source.as_bytes()) {
        Ok(wrapped) => wrapped.job,
        Err(_) => drover_model::json::from_slice(source.as_bytes()).context("the job is not what the API takes")?,
    };
    let submission = JobSubmission { source: source.to_owned(), format: "json".to_owned(), ..JobSubmission::default() };
    Ok(ReadJob { job, submission })
}

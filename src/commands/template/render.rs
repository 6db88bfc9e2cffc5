//! `drover template render`

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use drover_agent::render::{self, Event, Failure, Neighbourhood, Renderer, Template};
use tokio::sync::mpsc;

use super::servers::HttpServers;
use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

/// Files below this are what people write as templates.
const TEMPLATE_LIMIT: u64 = 4 << 20;
const EVENTS: usize = 16;

/// Consul and Vault are found by CONSUL_HTTP_ADDR, VAULT_ADDR and VAULT_TOKEN or by -config; what is not named is asked of the agent
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The template; `-` is standard input
    file: String,
    /// Where the text goes; without it, to standard output
    output: Option<PathBuf>,
    /// Render once and end (this is what happens without -watch, too)
    #[arg(long, conflicts_with = "watch")]
    once: bool,
    /// Go on, and render again whenever something that the template reads has changed
    #[arg(long)]
    watch: bool,
    /// Print the text instead of writing it
    #[arg(long)]
    dry: bool,
    /// gotemplate or handlebars (default: by the file's name, .hbs is handlebars)
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,
    /// What begins an action, instead of {{
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    left_delimiter: String,
    /// What ends an action, instead of }}
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    right_delimiter: String,
    /// Fail when a map has no such key, instead of printing `<no value>`
    #[arg(long)]
    error_on_missing_key: bool,
    /// Functions that the template may not call, as in an agent's configuration
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    function_denylist: Vec<String>,
    /// An agent's configuration, for its consul and vault blocks
    #[arg(long, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// Give up when the first text is not there by then, as 30s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    /// Gather changes: MIN or MIN:MAX, as 1s:10s
    #[arg(long, value_name = "MIN[:MAX]", value_parser = wait)]
    wait: Option<(Duration, Duration)>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let nanos = drover_model::spec::parse_duration(text).map_err(|error| error.to_string())?;
    u64::try_from(nanos).map(Duration::from_nanos).map_err(|_| "it must not be negative".to_owned())
}

fn wait(text: &str) -> Result<(Duration, Duration), String> {
    match text.split_once(':') {
        Some((min, max)) => {
            let (min, max) = (duration(min)?, duration(max)?);
            if min > max { Err("MIN is longer than MAX".to_owned()) } else { Ok((min, max)) }
        }
        None => duration(text).map(|min| (min, min * 4)),
    }
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let config = render::config(self.config.clone(), &|name| std::env::var(name).ok())?;
        let calls = Arc::new(HttpServers(reach.client()?));
        let variables: BTreeMap<String, String> =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
        let template = self.template()?;
        block_on(async {
            let neighbourhood = Neighbourhood::new(config, calls)?;
            let renderer = Renderer::new(&neighbourhood, template, variables).map_err(|error| self.explain(error))?;
            let (sender, events) = mpsc::channel(EVENTS);
            let running = tokio::spawn(renderer.run(sender));
            // Dropping the events is what ends the renderer.
            let outcome = self.follow(events).await;
            running.await.context("the renderer has stopped unexpectedly")?;
            neighbourhood.leave().await;
            outcome
        })
    }

    fn template(&self) -> Result<Template> {
        let text = if self.file == "-" {
            String::from_utf8(crate::context::value("-")?).context("standard input is no text")?
        } else {
            let size = std::fs::metadata(&self.file).with_context(|| format!("cannot open {}", self.file))?.len();
            if size > TEMPLATE_LIMIT {
                bail!("{} is larger than {} MiB", self.file, TEMPLATE_LIMIT >> 20);
            }
            std::fs::read_to_string(&self.file).with_context(|| format!("cannot read {}", self.file))?
        };
        let by_name = || if Path::new(&self.file).extension().is_some_and(|end| end == "hbs") { "handlebars" } else { "" };
        Ok(Template {
            text,
            engine: self.engine.clone().unwrap_or_else(|| by_name().to_owned()),
            left_delimiter: self.left_delimiter.clone(),
            right_delimiter: self.right_delimiter.clone(),
            error_on_missing_key: self.error_on_missing_key,
            denied: self.function_denylist.iter().filter(|name| !name.is_empty()).cloned().collect(),
            previous: self.output.as_ref().and_then(|path| std::fs::read(path).ok()),
            once: self.once || !self.watch,
            wait: self.wait,
            folder: std::env::current_dir().context("the current folder cannot be read")?,
        })
    }

    /// Writes what comes, until there is nothing more to do.
    async fn follow(&self, mut events: mpsc::Receiver<Event>) -> Result<Exit> {
        let mut is_first = true;
        loop {
            let event = match self.timeout.filter(|_| is_first) {
                Some(limit) => tokio::time::timeout(limit, events.recv())
                    .await
                    .map_err(|_| anyhow::anyhow!("{}: its data were not all there within {limit:?}", self.file))?,
                None => events.recv().await,
            };
            match event {
                Some(Event::Rendered(text)) => {
                    is_first = false;
                    self.write(&text)?;
                    if !self.watch {
                        return Ok(Exit::Ok);
                    }
                }
                Some(Event::Failed { failure, is_first: true }) => bail!("{}", self.place(&failure)),
                Some(Event::Failed { failure, .. }) => eprintln!("{}; the last text stays", self.place(&failure)),
                Some(Event::Missing { names, failures }) => {
                    eprintln!("waiting for {}", names.join(", "));
                    failures.iter().for_each(|failure| eprintln!("without that: {}", self.place(failure)));
                }
                Some(Event::Warning { dependency, text }) => eprintln!("{dependency} cannot be read: {text}"),
                Some(Event::Recovered(dependency)) => eprintln!("{dependency} can be read again"),
                // A template that reads nothing has nothing to watch.
                None => return Ok(Exit::Ok),
            }
        }
    }

    fn write(&self, text: &[u8]) -> Result<()> {
        let mut out = std::io::stdout().lock();
        match &self.output {
            Some(path) if !self.dry => replace(path, text).with_context(|| format!("cannot write {}", path.display())),
            Some(path) => {
                writeln!(out, "> {}", path.display())?;
                Ok(out.write_all(text).and_then(|()| out.flush())?)
            }
            None => Ok(out.write_all(text).and_then(|()| out.flush())?),
        }
    }

    fn explain(&self, error: render::Error) -> anyhow::Error {
        match error {
            render::Error::Template(failure) => anyhow::anyhow!("{}", self.place(&failure)),
            other => other.into(),
        }
    }

    /// `file:line:column: what went wrong`.
    fn place(&self, failure: &Failure) -> String {
        let name = if self.file == "-" { "<stdin>" } else { &self.file };
        match failure.place {
            Some((line, Some(column))) => format!("{name}:{line}:{column}: {}", failure.text),
            Some((line, None)) => format!("{name}:{line}: {}", failure.text),
            None => format!("{name}: {}", failure.text),
        }
    }
}

/// Puts a text in a file's place: who reads it sees the old one or the new one, never a part.
pub(crate) fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let name = path.file_name().ok_or_else(|| std::io::Error::other("it names no file"))?.to_string_lossy();
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let temporary = folder.join(format!(".{name}.{}", std::process::id()));
    let written = std::fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(text)?;
        // A file that is there keeps what it may do.
        if let Ok(known) = std::fs::metadata(path) {
            file.set_permissions(known.permissions())?;
        }
        file.sync_all()
    });
    written.and_then(|()| std::fs::rename(&temporary, path)).inspect_err(|_| {
        let _ = std::fs::remove_file(&temporary);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_have_one_or_two_parts() {
        let seconds = Duration::from_secs;
        for (text, expected) in [("1s", Ok((1, 4))), ("1s:10s", Ok((1, 10))), ("2s:1s", Err(())), ("x", Err(()))] {
            assert_eq!(wait(text).map_err(|_| ()), expected.map(|(min, max)| (seconds(min), seconds(max))), "{text}");
        }
    }
}

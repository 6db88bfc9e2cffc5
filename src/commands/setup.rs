//! `drover setup ...`

use anyhow::{Context as _, Result, bail};
use drover_agent::setup::{Found, Mode, Step};

use crate::{context::Reach, exit::Exit, output::Table, terminal, verbs};

pub(crate) mod consul;
pub(crate) mod vault;

verbs! {
    /// Let workloads log in at a Consul with their identities
    Consul(consul::Args),
    /// Let workloads log in at a Vault with their identities
    Vault(vault::Args),
}

/// What both have in common.
#[derive(clap::Args, Debug)]
pub(crate) struct Common {
    /// Only say what is there, what is missing and what differs; exit code 1 when anything would be written
    #[arg(long, conflicts_with = "destroy")]
    check: bool,
    /// Take away what was set up
    #[arg(long)]
    destroy: bool,
    /// Do not ask before anything is changed
    #[arg(short = 'y', long = "yes")]
    yes: bool,
    /// Where the cluster's public keys are, as the neighbour reaches them; by default below the agent's address
    #[arg(long, value_name = "URL")]
    jwks_url: Option<String>,
    /// What that address's certificate chains to (PEM)
    #[arg(long, value_name = "FILE")]
    jwks_ca_file: Option<std::path::PathBuf>,
    /// Who the identities are for: as in the agent's configuration
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Common {
    fn mode(&self) -> Mode {
        match (self.check, self.destroy) {
            (true, _) => Mode::Check,
            (_, true) => Mode::Destroy,
            (false, false) => Mode::Apply,
        }
    }

    fn jwks_url(&self, reach: &Reach) -> Result<String> {
        match &self.jwks_url {
            Some(url) => Ok(url.clone()),
            None => Ok(format!("{}/.well-known/jwks.json", reach.client()?.address().trim_end_matches('/'))),
        }
    }

    fn jwks_ca(&self) -> Result<Option<String>> {
        let read = |path: &std::path::PathBuf| std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
        self.jwks_ca_file.as_ref().map(read).transpose()
    }

    /// Asks whether to go on, unless nothing would change or the flags have answered.
    async fn confirm(&self, product: &str, steps: &[Step]) -> Result<bool> {
        let change = |step: &&Step| if self.destroy { step.found != Found::Missing } else { step.found != Found::AsWanted };
        let pending: Vec<&Step> = steps.iter().filter(change).collect();
        if pending.is_empty() || self.yes {
            return Ok(true);
        }
        if !terminal::is_there() {
            bail!("this would change {product}: add -y to do so");
        }
        for step in &pending {
            eprintln!("  {} {}", if self.destroy { "remove" } else { "write" }, step.what);
        }
        Ok(terminal::confirmed(&format!("Change {product}?")).await?)
    }

    fn print(&self, steps: &[Step]) -> Result<Exit> {
        let state = |step: &Step| match (step.found, step.changed, self.destroy) {
            (_, true, true) => "removed",
            (Found::Missing, true, false) => "created",
            (_, true, false) => "changed",
            (Found::AsWanted, false, _) => "as wanted",
            (Found::Different, false, _) => "differs",
            (Found::Missing, false, _) => "missing",
        };
        if self.json {
            let rows: Vec<_> = steps.iter().map(|step| serde_json::json!({ "What": step.what, "State": state(step) })).collect();
            crate::output::json(&rows)?;
        } else {
            let mut table = Table::new(["What", "State"]);
            for step in steps {
                table.row([step.what.clone(), state(step).to_owned()]);
            }
            table.print();
        }
        let is_complete = !self.check || steps.iter().all(|step| step.found == Found::AsWanted);
        Ok(if is_complete { Exit::Ok } else { Exit::Error })
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

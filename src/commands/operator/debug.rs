//! `drover operator debug`

mod archive;

use std::{fs::OpenOptions, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use drover_api::{Client, MonitorRequest};
use drover_runtime::Clock as _;
use futures::StreamExt;

use self::archive::Archive;
use crate::{
    commands::monitor::LEVELS,
    context::{Reach, block_on},
    exit::Exit,
};

/// What is asked for, and the file that the answer becomes. Jobs are there in brief only: their tasks' settings may hold secrets.
const PARTS: [(&str, &str); 19] = [
    ("/v1/agent/self", "agent-self.json"),
    ("/v1/agent/health", "agent-health.json"),
    ("/v1/agent/members", "members.json"),
    ("/v1/agent/servers", "servers.json"),
    ("/v1/status/leader", "leader.json"),
    ("/v1/status/peers", "peers.json"),
    ("/v1/regions", "regions.json"),
    ("/v1/operator/raft/configuration", "raft-configuration.json"),
    ("/v1/operator/autopilot/configuration", "autopilot-configuration.json"),
    ("/v1/operator/autopilot/health", "autopilot-health.json"),
    ("/v1/operator/scheduler/configuration", "scheduler-configuration.json"),
    ("/v1/metrics", "metrics.json"),
    ("/v1/nodes?resources=true", "nodes.json"),
    ("/v1/node/pools", "node-pools.json"),
    ("/v1/namespaces", "namespaces.json"),
    ("/v1/jobs?namespace=*", "jobs.json"),
    ("/v1/allocations?namespace=*", "allocations.json"),
    ("/v1/evaluations?namespace=*", "evaluations.json"),
    ("/v1/deployments?namespace=*", "deployments.json"),
];
/// The most that is kept of the log.
const LOG_BYTES: usize = 64 << 20;

/// Gathers what helps those who look for a fault: what the agent and the servers say of themselves, without secrets, and the agent's log for a while
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The folder to write the archive to
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    output: PathBuf,
    /// For how long the log is followed
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = crate::commands::node::drain::duration)]
    duration: Duration,
    /// From which level on
    #[arg(long, value_name = "LEVEL", default_value = "debug", value_parser = LEVELS, ignore_case = true)]
    log_level: String,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        let now = drover_runtime::RealClock.now();
        let name = format!("drover-debug-{}", now.to_string().get(..19).unwrap_or("now").replace(':', ""));
        let path = self.output.join(format!("{name}.tar.gz"));
        // Nobody but who asked for it reads what is in there.
        let mut options = OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create_new(true), 0o600);
        block_on(async {
            // An agent that cannot be reached leaves no file behind.
            client.agent_self().await?;
            let file = options.open(&path).with_context(|| format!("cannot make {}", path.display()))?;
            let mut archive = Archive::new(file, name, now.seconds());
            let mut missing = Vec::new();
            for (part, file) in PARTS {
                match client.raw("GET", part, &[], Vec::new()).await {
                    Ok(answer) => archive.add(file, &answer.data)?,
                    Err(error) => missing.push(format!("{part}: {error}\n")),
                }
            }
            eprintln!("Following the agent's log for {} ...", crate::output::duration(self.duration));
            match self.log(&client).await {
                Ok(log) => archive.add("monitor.log", &log)?,
                Err(error) => missing.push(format!("/v1/agent/monitor: {error:#}\n")),
            }
            eprint!("{}", missing.concat());
            if !missing.is_empty() {
                archive.add("missing.txt", missing.concat().as_bytes())?;
            }
            archive.finish().with_context(|| format!("cannot write {}", path.display()))?;
            println!("Created debug archive: {}", path.display());
            Ok(Exit::Ok)
        })
    }

    async fn log(&self, client: &Client) -> Result<Vec<u8>> {
        let request = MonitorRequest { log_level: &self.log_level, json: false, include_location: true, node_id: "", server_id: "" };
        let mut lines = Box::pin(client.monitor(&request).await?);
        let mut log = Vec::new();
        let end = tokio::time::sleep(self.duration);
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return Ok(log),
                piece = lines.next() => match piece {
                    Some(piece) if log.len() < LOG_BYTES => log.extend_from_slice(&piece?),
                    Some(_) | None => return Ok(log),
                },
            }
        }
    }
}

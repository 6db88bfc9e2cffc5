//! `drover alloc status`

use anyhow::Result;
use drover_model::allocation::{Allocation, TaskState};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Pairs, Shown, Table, ago, date, heading},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The allocation's id, or the start of it; none lists all allocations
    allocation: Option<String>,
    #[command(flatten)]
    shown: Shown,
    /// Leave out events
    #[arg(long)]
    short: bool,
    /// Print whole ids
    #[arg(long)]
    verbose: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        let colours = reach.colours();
        block_on(async {
            let Some(prefix) = &self.allocation else {
                let all = client.allocations("").await?.data;
                if !self.shown.print(&all)? {
                    crate::commands::job::status::print_allocations(&all, self.verbose, colours)
                }
                return Ok(Exit::Ok);
            };
            let id = super::find(&client, prefix).await?.id.to_string();
            let allocation = client.allocation(&id).await?.data;
            if self.shown.print(&allocation)? {
                return Ok(Exit::Ok);
            }
            self.print(&allocation, colours);
            Ok(Exit::Ok)
        })
    }

    fn print(&self, allocation: &Allocation, colours: bool) {
        let mut pairs = Pairs::default();
        pairs.add("ID", output::id(allocation.id, self.verbose)).add("Eval ID", output::id(allocation.eval_id, self.verbose));
        pairs
            .add("Name", &allocation.name)
            .add("Node ID", output::id(allocation.node_id, self.verbose))
            .add("Node Name", &allocation.node_name);
        pairs.add("Job ID", &allocation.job_id).add("Job Version", allocation.job.version);
        pairs.add("Client Status", output::status(allocation.client_status.as_str(), colours));
        pairs.add("Client Description", &allocation.client_description).add("Desired Status", allocation.desired_status.as_str());
        pairs
            .add("Desired Description", if allocation.desired_description.is_empty() { "<none>" } else { &allocation.desired_description });
        pairs.add("Created", ago(allocation.create_time)).add("Modified", ago(allocation.modify_time));
        if let Some(id) = allocation.deployment_id {
            let health = match allocation.is_healthy() {
                Some(true) => "healthy",
                Some(false) => "unhealthy",
                None => "unset",
            };
            pairs.add("Deployment ID", output::id(id, self.verbose)).add("Deployment Health", health);
            if allocation.is_canary() {
                pairs.add("Canary", true);
            }
        }
        if let Some(next) = allocation.next_allocation {
            pairs.add("Replacement Alloc ID", output::id(next, self.verbose));
        }
        pairs.print();
        print_ports(allocation, colours);
        for (name, state) in &allocation.task_states {
            self.print_task(name, state, colours);
        }
    }

    fn print_task(&self, name: &str, state: &TaskState, colours: bool) {
        let phase = serde_json::to_value(state.state).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
        let failed = if state.failed { " (failed)" } else { "" };
        heading(&format!("Task {name:?} is {phase:?}{failed}"), colours);
        let mut pairs = Pairs::default();
        pairs.add("Started At", date(state.started_at.0)).add("Finished At", date(state.finished_at.0));
        pairs.add("Total Restarts", state.restarts).add("Last Restart", date(state.last_restart.0));
        pairs.print();
        if self.short || state.events.is_empty() {
            return;
        }
        println!("\nRecent Events:");
        let mut table = Table::new(["Time", "Type", "Description"]);
        for event in state.events.iter().rev() {
            table.row([date(event.time), event.kind.to_string(), event.display_message.to_string()]);
        }
        table.print();
    }
}

fn print_ports(allocation: &Allocation, colours: bool) {
    let ports = &allocation.resources.shared.ports;
    if ports.is_empty() {
        return;
    }
    heading("Allocation Addresses", colours);
    let mut table = Table::new(["Label", "Address"]);
    for port in ports {
        let to = if port.to > 0 { format!(" -> {}", port.to) } else { String::new() };
        table.row([port.label.clone(), format!("{}:{}{to}", port.host_ip, port.value)]);
    }
    table.print();
}

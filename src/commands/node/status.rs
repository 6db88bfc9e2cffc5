//! `drover node status`

use anyhow::Result;
use drover_api::Client;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Pairs, Shown, Table, ago, heading},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The node's id, or the start of it; none lists all nodes
    node: Option<String>,
    #[command(flatten)]
    shown: Shown,
    /// Leave out attributes and allocations
    #[arg(long)]
    short: bool,
    /// Print whole ids and all attributes
    #[arg(long)]
    verbose: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        let colours = reach.colours();
        block_on(async {
            match &self.node {
                None => self.list(&client, colours).await?,
                Some(prefix) => self.one(&client, prefix, colours).await?,
            }
            Ok(Exit::Ok)
        })
    }

    async fn list(&self, client: &Client, colours: bool) -> Result<()> {
        let nodes = client.nodes("").await?.data;
        if self.shown.print(&nodes)? {
            return Ok(());
        }
        if nodes.is_empty() {
            println!("No nodes registered");
            return Ok(());
        }
        let mut table = Table::new(["ID", "Node Pool", "DC", "Name", "Class", "Drain", "Eligibility", "Status"]);
        for node in nodes {
            let class = if node.node_class.is_empty() { "<none>".to_owned() } else { node.node_class };
            table.row([
                output::id(node.id, self.verbose),
                node.node_pool,
                node.datacenter,
                node.name,
                class,
                node.drain.to_string(),
                node.eligibility.as_str().to_owned(),
                output::status(node.status.as_str(), colours),
            ]);
        }
        table.print();
        Ok(())
    }

    async fn one(&self, client: &Client, prefix: &str, colours: bool) -> Result<()> {
        let id = super::find(client, prefix).await?.id.to_string();
        let node = client.node(&id).await?.data;
        if self.shown.print(&node)? {
            return Ok(());
        }
        let healthy: Vec<&str> =
            node.drivers.iter().filter(|(_, driver)| driver.detected && driver.healthy).map(|(name, _)| name.as_str()).collect();
        let capacity = node.capacity();
        let mut pairs = Pairs::default();
        pairs.add("ID", output::id(node.id, self.verbose)).add("Name", &node.name).add("Node Pool", &node.node_pool);
        pairs.add("Class", if node.node_class.is_empty() { "<none>" } else { &node.node_class }).add("DC", &node.datacenter);
        pairs.add("Drain", node.drain.is_some()).add("Eligibility", node.eligibility.as_str());
        pairs.add("Status", output::status(node.status.as_str(), colours)).add("Drivers", healthy.join(","));
        pairs.add("CPU", format!("{} MHz", capacity.cpu_mhz)).add("Memory", format!("{} MiB", capacity.memory_mib));
        pairs.add("Disk", format!("{} MiB", capacity.disk_mib));
        pairs.print();
        if self.short {
            return Ok(());
        }
        self.print_allocations(client, &id, colours).await?;
        if self.verbose {
            heading("Attributes", colours);
            for (key, value) in &node.attributes {
                println!("{key} = {value}");
            }
        }
        Ok(())
    }

    async fn print_allocations(&self, client: &Client, id: &str, colours: bool) -> Result<()> {
        heading("Allocations", colours);
        let allocations = client.node_allocations(id).await?.data;
        if allocations.is_empty() {
            println!("No allocations placed");
            return Ok(());
        }
        let mut table = Table::new(["ID", "Job ID", "Task Group", "Version", "Desired", "Status", "Created"]);
        for allocation in allocations {
            table.row([
                output::id(allocation.id, self.verbose),
                allocation.job_id.to_string(),
                allocation.task_group.to_string(),
                allocation.job.version.to_string(),
                allocation.desired_status.as_str().to_owned(),
                output::status(allocation.client_status.as_str(), colours),
                ago(allocation.create_time),
            ]);
        }
        table.print();
        Ok(())
    }
}

//! `drover volume status`

use anyhow::Result;
use drover_model::volume::{Volume, VolumeStub};

use super::{HOST, check_type, find};
use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Pairs, Shown, Table, heading},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The volume's id, or its beginning
    id: Option<String>,
    /// The volumes' type
    #[arg(long = "type", value_name = "TYPE", default_value = HOST)]
    kind: String,
    /// Whole ids
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        check_type(&self.kind)?;
        let client = reach.client()?;
        block_on(async {
            let Some(prefix) = &self.id else {
                let volumes = client.host_volumes("").await?.data;
                if !self.shown.print(&volumes)? {
                    list(&volumes, self.verbose)
                }
                return Ok(Exit::Ok);
            };
            let volume = client.host_volume(&find(&client, prefix).await?).await?.data;
            if !self.shown.print(&volume)? {
                print(&volume, reach.colours(), self.verbose)
            }
            Ok(Exit::Ok)
        })
    }
}

fn shown(id: Option<impl ToString>, verbose: bool) -> String {
    id.map(|id| output::id(id, verbose)).unwrap_or_default()
}

fn list(volumes: &[VolumeStub], verbose: bool) {
    let mut table = Table::new(["ID", "Name", "Namespace", "Plugin ID", "Node ID", "Node Pool", "State"]);
    for volume in volumes {
        table.row([
            shown(volume.id, verbose),
            volume.name.clone(),
            volume.namespace.to_string(),
            volume.plugin_id.clone(),
            shown(volume.node_id, verbose),
            volume.node_pool.clone(),
            volume.state.as_str().to_owned(),
        ]);
    }
    if table.is_empty() { println!("No volumes") } else { table.print() }
}

pub(super) fn print(volume: &Volume, colours: bool, verbose: bool) {
    let mut pairs = Pairs::default();
    pairs.add("ID", shown(volume.id, true)).add("Name", &volume.name).add("Namespace", &volume.namespace);
    pairs.add("Plugin ID", &volume.plugin_id).add("Node ID", shown(volume.node_id, true)).add("Node Pool", &volume.node_pool);
    pairs.add("State", volume.state.as_str()).add("Host Path", &volume.host_path);
    pairs.print();
    heading("Capabilities", colours);
    let mut table = Table::new(["Access Mode", "Attachment Mode"]);
    let word =
        |mode: serde_json::Result<serde_json::Value>| mode.ok().and_then(|mode| mode.as_str().map(str::to_owned)).unwrap_or_default();
    for capability in &volume.capabilities {
        table.row([word(serde_json::to_value(capability.access_mode)), word(serde_json::to_value(capability.attachment_mode))]);
    }
    table.print();
    if volume.allocations.is_empty() {
        return;
    }
    heading("Allocations", colours);
    let mut table = Table::new(["ID", "Name", "Desired", "Status"]);
    for row in &volume.allocations {
        let (desired, status) = (row.desired_status.as_str().to_owned(), row.client_status.as_str().to_owned());
        table.row([shown(Some(row.id), verbose), row.name.to_string(), desired, status]);
    }
    table.print();
}

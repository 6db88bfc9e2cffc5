//! `drover namespace status`

use anyhow::Result;
use drover_model::namespace::{Choice, Namespace};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{Pairs, Shown, Table, heading},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The namespace's name
    name: String,
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        let colours = reach.colours();
        block_on(async {
            let namespace = client.get_namespace(&self.name).await?.data;
            if !self.shown.print(&namespace)? {
                print(&namespace, colours);
            }
            Ok(Exit::Ok)
        })
    }
}

fn print(namespace: &Namespace, colours: bool) {
    let mut pairs = Pairs::default();
    pairs.add("Name", &namespace.name).add("Description", &namespace.description);
    pairs.add("Quota", if namespace.quota.is_empty() { "<none>" } else { &namespace.quota });
    if let Some(rules) = &namespace.capabilities {
        pairs.add("EnabledDrivers", list(&rules.enabled_task_drivers, "*"));
        pairs.add("DisabledDrivers", list(&rules.disabled_task_drivers, "<none>"));
        pairs.add("EnabledNetworkModes", list(&rules.enabled_network_modes, "*"));
        pairs.add("DisabledNetworkModes", list(&rules.disabled_network_modes, "<none>"));
    }
    pairs.print();
    if !namespace.meta.is_empty() {
        heading("Metadata", colours);
        let mut table = Table::new(["Key", "Value"]);
        namespace.meta.iter().for_each(|(key, value)| table.row([key.clone(), value.clone()]));
        table.print();
    }
    for (title, rules) in [
        ("Node Pool Configuration", &namespace.node_pool_configuration),
        ("Vault Configuration", &namespace.vault_configuration),
        ("Consul Configuration", &namespace.consul_configuration),
    ] {
        if let Some(Choice { default, allowed, denied }) = rules {
            heading(title, colours);
            let mut pairs = Pairs::default();
            pairs.add("Default", default).add("Allowed", list(allowed, "*")).add("Denied", list(denied, "<none>"));
            pairs.print();
        }
    }
}

fn list(names: &[String], none: &str) -> String {
    if names.is_empty() { none.to_owned() } else { names.join(",") }
}

//! `drover quota status`

use anyhow::Result;
use drover_model::quota::{QuotaLimit, QuotaSpec, QuotaUsage, RegionLimit};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{Pairs, Shown, Table, heading},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The quota's name
    name: String,
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        let colours = reach.colours();
        block_on(async {
            let quota = client.quota(&self.name).await?.data;
            if self.shown.print(&quota)? {
                return Ok(Exit::Ok);
            }
            let usage = client.quota_usage(&self.name).await?.data;
            let namespaces = client.namespaces().await?.data;
            let under: Vec<_> = namespaces.into_iter().filter(|one| one.quota == quota.name).map(|one| one.name).collect();
            print(&quota, &usage, &under, colours);
            Ok(Exit::Ok)
        })
    }
}

fn print(quota: &QuotaSpec, usage: &QuotaUsage, namespaces: &[String], colours: bool) {
    let limited = quota.limits.iter().map(|limit| limit.region.as_str()).collect::<Vec<_>>().join(",");
    let namespaces = if namespaces.is_empty() { "<none>".to_owned() } else { namespaces.join(",") };
    let mut pairs = Pairs::default();
    pairs.add("Name", &quota.name).add("Description", &quota.description);
    pairs.add("Namespaces", namespaces).add("Limited Regions", limited);
    pairs.print();
    for limit in &quota.limits {
        heading(&format!("Region {:?}", limit.region), colours);
        let mut table = Table::new(["Resource", "Used", "Limit"]);
        let used = usage.used.get(&limit.hash);
        rows(limit, used).into_iter().for_each(|row| table.row(row));
        table.print();
    }
}

/// Of other regions only the limits are known here.
fn rows(limit: &QuotaLimit, used: Option<&QuotaLimit>) -> Vec<[String; 3]> {
    let shown = |used: Option<i64>| used.map_or_else(|| "-".to_owned(), |used| used.to_string());
    let row = |what: &str, limit: i64, used: Option<i64>| [what.to_owned(), shown(used), allowed(limit)];
    let (of_region, nothing) = (used.and_then(|used| used.region_limit.as_ref()), RegionLimit::default());
    let limits = limit.region_limit.as_ref().unwrap_or(&nothing);
    let mut rows = vec![
        row("CPU (MHz)", limits.cpu_mhz, of_region.map(|used| used.cpu_mhz)),
        row("Cores", limits.cores, of_region.map(|used| used.cores)),
        row("Memory (MiB)", limits.memory_mib, of_region.map(|used| used.memory_mib)),
        row("Memory Max (MiB)", limits.memory_max_mib, of_region.map(|used| used.memory_max_mib)),
    ];
    for device in &limits.devices {
        let used = of_region.and_then(|used| used.devices.iter().find(|other| other.name == device.name));
        rows.push(row(&format!("Device {}", device.name), device.count, used.map(|device| device.count)));
    }
    rows.push(row("Variables (MiB)", limit.variables_mib(), used.and_then(|used| used.variables_limit)));
    rows
}

fn allowed(limit: i64) -> String {
    match limit {
        0 => "inf".to_owned(),
        limit if limit < 0 => "none".to_owned(),
        limit => limit.to_string(),
    }
}

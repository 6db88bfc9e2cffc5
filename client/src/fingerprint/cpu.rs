//! Processors.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{numa::Numa, read};
use crate::ClientConfig;

pub(super) struct Cpu {
    pub(super) cores: u16,
    pub(super) total_mhz: u64,
    pub(super) topology: Value,
}

/// A speed for machines that do not tell theirs.
const FALLBACK_MHZ: u64 = 1000;

pub(super) fn look(config: &ClientConfig, attributes: &mut BTreeMap<String, String>) -> Cpu {
    let info = read("/proc/cpuinfo");
    let field = |name: &str| {
        info.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
    };
    let listed = info.lines().filter(|line| line.starts_with("processor")).count();
    let cores = u16::try_from(listed).unwrap_or(u16::MAX).max(1);
    let khz = read("/sys/devices/system/cpu/cpu0/cpufreq/base_frequency").trim().parse::<u64>().ok();
    let khz = khz.or_else(|| read("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq").trim().parse().ok());
    let current = field("cpu MHz").and_then(|text| text.parse::<f64>().ok()).map(|mhz| mhz as u64);
    let mhz = khz.map(|khz| khz / 1000).or(current).filter(|mhz| *mhz > 0).unwrap_or(FALLBACK_MHZ);
    let measured = mhz * u64::from(cores);
    let total_mhz = if config.cpu_total_mhz > 0 { config.cpu_total_mhz } else { measured };
    let usable = total_mhz.saturating_sub(config.reserved.cpu_mhz);
    let mut add = |key: &str, value: String| attributes.insert(key.to_owned(), value);
    add("cpu.arch", architecture().to_owned());
    if let Some(model) = field("model name") {
        add("cpu.modelname", model);
    }
    add("cpu.numcores", cores.to_string());
    add("cpu.frequency", mhz.to_string());
    add("cpu.reservablecores", cores.to_string());
    add("cpu.totalcompute", total_mhz.to_string());
    add("cpu.usablecompute", usable.to_string());
    let numa = Numa::look(cores);
    add("numa.node.count", numa.nodes.len().to_string());
    for (id, cores) in &numa.nodes {
        add(&format!("numa.node{id}.cores"), cores.clone());
    }
    let one = |id: u16| {
        json!({
            "BaseSpeed": mhz, "Disable": config.reserved.cores.contains(&id), "Grade": true, "GuessSpeed": 0, "ID": id, "MaxSpeed": 0,
            "NodeID": numa.node_of(id), "SocketID": socket_of(id),
        })
    };
    let all: Vec<Value> = (0..cores).map(one).collect();
    let topology = json!({
        "Cores": all, "Distances": numa.distances(), "Nodes": numa.nodes.keys().collect::<Vec<_>>(), "BusAssociativity": numa.buses(),
        "OverrideTotalCompute": config.cpu_total_mhz, "OverrideWitholdCompute": config.reserved.cpu_mhz,
    });
    Cpu { cores, total_mhz, topology }
}

fn socket_of(core: u16) -> u64 {
    read(format!("/sys/devices/system/cpu/cpu{core}/topology/physical_package_id")).trim().parse().unwrap_or(0)
}

/// As Go programs name it, which is what jobs compare with.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

//! What tasks and the machine use right now, in the shapes of the HTTP API.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nix::sys::statvfs::statvfs;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::{
    drivers::{ProcessUsage, Usage},
    shared::Shared,
    tasks::Scope,
};

/// Samples that are kept to measure against: one per task or core.
const MOST_SAMPLES: usize = 4096;
/// The kernel counts in these.
const TICKS_PER_SECOND: f64 = 100.0;

/// Readings of a moment ago: use is the difference between two.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    cpu: Mutex<BTreeMap<String, (Instant, Duration, Duration)>>,
    cores: Mutex<BTreeMap<String, [f64; 4]>>,
}

impl Samples {
    /// User and system time spent since the last look, in percent of one core.
    fn percent(&self, key: String, user: Duration, system: Duration) -> (f64, f64) {
        let now = Instant::now();
        let mut samples = self.cpu.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() >= MOST_SAMPLES {
            samples.pop_first();
        }
        let Some((at, last_user, last_system)) = samples.insert(key, (now, user, system)) else { return (0.0, 0.0) };
        let wall = (now - at).as_secs_f64().max(0.001);
        let part = |now: Duration, last: Duration| 100.0 * now.saturating_sub(last).as_secs_f64() / wall;
        (part(user, last_user), part(system, last_system))
    }
}

/// The use of an allocation's tasks.
pub(crate) async fn allocation(shared: &Shared, samples: &Samples, scopes: &[Arc<Scope>]) -> Value {
    let now = shared.now().0;
    let mhz = shared.node().attributes.get("cpu.frequency").and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let (mut tasks, mut user, mut system, mut memory, mut swap) = (Map::new(), 0.0, 0.0, 0, 0);
    for scope in scopes {
        let (Some((_, handle)), Some(driver)) = (scope.running(), scope.driver.as_ref()) else { continue };
        let Ok(usage) = driver.stats(&handle).await else { continue };
        let (task_user, task_system) = samples.percent(format!("{}/{}", scope.alloc_id, scope.name), usage.user_cpu, usage.system_cpu);
        let pids: Map<String, Value> =
            usage.processes.iter().map(|(pid, process)| (pid.to_string(), process_usage(samples, mhz, *pid, process))).collect();
        tasks.insert(
            scope.name.clone(),
            json!({ "Pids": pids, "ResourceUsage": resources(mhz, task_user, task_system, &usage, Value::Null), "Timestamp": now }),
        );
        user += task_user;
        system += task_system;
        memory += usage.memory_bytes;
        swap += usage.swap_bytes;
    }
    let all = Usage { memory_bytes: memory, swap_bytes: swap, ..Usage::default() };
    json!({ "ResourceUsage": resources(mhz, user, system, &all, json!([])), "Tasks": tasks, "Timestamp": now })
}

fn process_usage(samples: &Samples, mhz: f64, pid: u32, process: &ProcessUsage) -> Value {
    let (user, system) = samples.percent(format!("pid/{pid}"), process.user_cpu, process.system_cpu);
    let usage = Usage { memory_bytes: process.memory_bytes, swap_bytes: process.swap_bytes, ..Usage::default() };
    resources(mhz, user, system, &usage, Value::Null)
}

fn resources(mhz: f64, user: f64, system: f64, usage: &Usage, devices: Value) -> Value {
    json!({
        "CpuStats": {
            "Measured": ["System Mode", "User Mode", "Percent"], "Percent": user + system, "SystemMode": system, "UserMode": user,
            "ThrottledPeriods": 0, "ThrottledTime": 0, "TotalTicks": (user + system) / 100.0 * mhz,
        },
        "DeviceStats": devices,
        "MemoryStats": {
            "Cache": 0, "KernelMaxUsage": 0, "KernelUsage": 0, "MappedFile": 0, "MaxUsage": 0, "Measured": ["RSS", "Swap"],
            "RSS": usage.memory_bytes, "Swap": usage.swap_bytes, "Usage": 0,
        },
    })
}

/// The use of the machine.
pub(crate) fn host(shared: &Shared, samples: &Samples) -> Value {
    let mhz = shared.node().attributes.get("cpu.frequency").and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let cores = cores(samples, mhz);
    let ticks: f64 = cores.iter().filter_map(|core| core["TotalTicks"].as_f64()).sum();
    let uptime = read_numbers("/proc/uptime").first().copied().unwrap_or(0.0);
    let disk = disk(shared);
    json!({
        "AllocDirStats": disk, "CPU": cores, "CPUTicksConsumed": ticks, "DeviceStats": null, "DiskStats": [disk], "Memory": memory(),
        "Timestamp": shared.now().0, "Uptime": uptime.round() as u64,
    })
}

fn cores(samples: &Samples, mhz: f64) -> Vec<Value> {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let mut last = samples.cores.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = text.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu "));
    let one = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let name = fields.next()?.to_owned();
        let ticks: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
        let at = |index: usize| ticks.get(index).copied().unwrap_or(0.0);
        let now = [at(0) + at(1), at(2), at(3) + at(4), ticks.iter().take(8).sum()];
        let before = last.insert(name.clone(), now).unwrap_or([0.0, 0.0, 0.0, now[3] - TICKS_PER_SECOND]);
        let all = (now[3] - before[3]).max(1.0);
        let [user, system, idle] = [0, 1, 2].map(|index| (100.0 * (now[index] - before[index]) / all).clamp(0.0, 100.0));
        let busy = (100.0 - idle).clamp(0.0, 100.0);
        Some(json!({ "CPU": name, "Idle": idle, "System": system, "TotalPercent": busy, "TotalTicks": busy / 100.0 * mhz, "User": user }))
    };
    lines.filter_map(one).collect()
}

fn memory() -> Value {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
    };
    let [total, free, available] = ["MemTotal:", "MemFree:", "MemAvailable:"].map(|name| field(name).unwrap_or(0));
    json!({ "Available": available, "Free": free, "Total": total, "Used": total.saturating_sub(available) })
}

fn disk(shared: &Shared) -> Value {
    let path = &shared.config.alloc_dir;
    let Ok(disk) = statvfs(path) else { return Value::Null };
    let unit = disk.fragment_size();
    let (size, free, available) = (disk.blocks() * unit, disk.blocks_free() * unit, disk.blocks_available() * unit);
    let used = size.saturating_sub(free);
    let percent = |part: u64, whole: u64| if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 };
    let device = shared.node().attributes.get("unique.storage.volume").cloned().unwrap_or_default();
    json!({
        "Available": available, "Device": device, "InodesUsedPercent": percent(disk.files().saturating_sub(disk.files_free()), disk.files()),
        "Mountpoint": path.display().to_string(), "Size": size, "Used": used, "UsedPercent": percent(used, used + available),
    })
}

fn read_numbers(path: &str) -> Vec<f64> {
    fs::read_to_string(path).unwrap_or_default().split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
}

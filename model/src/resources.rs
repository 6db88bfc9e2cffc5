//! Resources as a node has them and as an allocation was given them, and whether the one fits in the other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ids::Name,
    job::{Lifecycle, NetworkResource},
    json::List,
};

/// Plain amounts: what is compared when something is placed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    pub cpu_mhz: u64,
    pub memory_mib: u64,
    /// The most that tasks may take when memory is oversubscribed.
    pub memory_max_mib: u64,
    pub disk_mib: u64,
}

impl Amounts {
    pub fn plus(self, other: Self) -> Self {
        Self {
            cpu_mhz: self.cpu_mhz.saturating_add(other.cpu_mhz),
            memory_mib: self.memory_mib.saturating_add(other.memory_mib),
            memory_max_mib: self.memory_max_mib.saturating_add(other.memory_max_mib),
            disk_mib: self.disk_mib.saturating_add(other.disk_mib),
        }
    }

    pub fn minus(self, other: Self) -> Self {
        Self {
            cpu_mhz: self.cpu_mhz.saturating_sub(other.cpu_mhz),
            memory_mib: self.memory_mib.saturating_sub(other.memory_mib),
            memory_max_mib: self.memory_max_mib.saturating_sub(other.memory_max_mib),
            disk_mib: self.disk_mib.saturating_sub(other.disk_mib),
        }
    }

    /// The first dimension in which `self` does not fit into `free`, in the API's word for it.
    pub fn exceeds(&self, free: &Self) -> Option<&'static str> {
        if self.cpu_mhz > free.cpu_mhz {
            Some("cpu")
        } else if self.memory_mib > free.memory_mib {
            Some("memory")
        } else if self.disk_mib > free.disk_mib {
            Some("disk")
        } else {
            None
        }
    }
}

/// What an allocation was given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AllocatedResources {
    pub tasks: BTreeMap<Name, AllocatedTask>,
    pub task_lifecycles: BTreeMap<Name, Option<Lifecycle>>,
    pub shared: AllocatedShared,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AllocatedTask {
    pub cpu: AllocatedCpu,
    pub memory: AllocatedMemory,
    pub networks: List<NetworkResource>,
    pub devices: List<AllocatedDevice>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllocatedCpu {
    #[serde(rename = "CpuShares")]
    pub cpu_mhz: u64,
    #[serde(rename = "ReservedCores")]
    pub reserved_cores: List<u16>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllocatedMemory {
    #[serde(rename = "MemoryMB")]
    pub memory_mib: u64,
    #[serde(rename = "MemoryMaxMB")]
    pub memory_max_mib: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllocatedShared {
    #[serde(rename = "DiskMB")]
    pub disk_mib: u64,
    #[serde(rename = "Networks")]
    pub networks: List<NetworkResource>,
    #[serde(rename = "Ports")]
    pub ports: List<AllocatedPort>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllocatedPort {
    #[serde(rename = "Label")]
    pub label: String,
    #[serde(rename = "Value")]
    pub value: u16,
    #[serde(rename = "To", skip_serializing_if = "is_zero")]
    pub to: i64,
    #[serde(rename = "HostIP")]
    pub host_ip: String,
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllocatedDevice {
    #[serde(rename = "Vendor")]
    pub vendor: String,
    #[serde(rename = "Type")]
    pub kind: String,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "DeviceIDs")]
    pub device_ids: List<String>,
}

impl AllocatedResources {
    /// The sum over tasks that may run at the same time. Tasks before and after the main ones do not run beside them, so the larger counts.
    pub fn amounts(&self) -> Amounts {
        self.most(AllocatedTask::amounts)
    }

    /// The same with `of` as what each task counts for.
    pub(crate) fn most(&self, of: impl Fn(&AllocatedTask) -> Amounts) -> Amounts {
        use crate::job::LifecycleHook::{Poststart, Poststop, Prestart};
        let (mut main, mut before, mut after) = (Amounts::default(), Amounts::default(), Amounts::default());
        for (name, task) in &self.tasks {
            let amounts = of(task);
            let lifecycle = self.task_lifecycles.get(name).and_then(Option::as_ref);
            match lifecycle.map(|l| (l.hook, l.sidecar)) {
                Some((Prestart, false)) => before = before.plus(amounts),
                Some((Poststop, _)) => after = after.plus(amounts),
                Some((Prestart, true) | (Poststart, _)) | None => main = main.plus(amounts),
            }
        }
        let mut most = main.largest(before).largest(after);
        most.disk_mib = self.shared.disk_mib;
        most
    }

    /// Every host port that the allocation holds.
    pub fn host_ports(&self) -> impl Iterator<Item = u16> {
        let of_tasks = self.tasks.values().flat_map(|task| task.networks.iter()).flat_map(|network| network.ports()).map(|port| port.value);
        self.shared.ports.iter().map(|port| port.value).chain(of_tasks).filter(|port| *port != 0)
    }
}

impl AllocatedTask {
    pub fn amounts(&self) -> Amounts {
        let AllocatedMemory { memory_mib, memory_max_mib } = self.memory;
        Amounts { cpu_mhz: self.cpu.cpu_mhz, memory_mib, memory_max_mib: memory_max_mib.max(memory_mib), disk_mib: 0 }
    }
}

impl Amounts {
    pub fn largest(self, other: Self) -> Self {
        Self {
            cpu_mhz: self.cpu_mhz.max(other.cpu_mhz),
            memory_mib: self.memory_mib.max(other.memory_mib),
            memory_max_mib: self.memory_max_mib.max(other.memory_max_mib),
            disk_mib: self.disk_mib.max(other.disk_mib),
        }
    }
}

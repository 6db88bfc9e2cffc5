//! Quotas: how much the allocations of namespaces may hold together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ids::Name,
    json::List,
    resources::{AllocatedResources, AllocatedTask, Amounts},
};

/// A quota, as it is shown. Namespaces name it; those that name the same one share it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct QuotaSpec {
    pub name: String,
    pub description: String,
    /// One for each region that is limited.
    pub limits: List<QuotaLimit>,
    /// Tells two contents apart.
    pub hash: String,
    pub create_index: u64,
    pub modify_index: u64,
}

/// What holds in one region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct QuotaLimit {
    pub region: String,
    pub region_limit: Option<RegionLimit>,
    /// MiB of variables.
    pub variables_limit: Option<i64>,
    pub hash: String,
}

/// Zero is no limit, less than zero: nothing of it. The same shape tells how much is in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegionLimit {
    /// MHz of the tasks that do not reserve whole cores.
    #[serde(rename = "CPU")]
    pub cpu_mhz: i64,
    #[serde(rename = "Cores")]
    pub cores: i64,
    #[serde(rename = "MemoryMB")]
    pub memory_mib: i64,
    #[serde(rename = "MemoryMaxMB")]
    pub memory_max_mib: i64,
    #[serde(rename = "Devices")]
    pub devices: List<DeviceLimit>,
    /// For the API's sake: a quota that sets it is refused.
    #[serde(rename = "DiskMB")]
    pub disk_mib: i64,
    #[serde(rename = "Storage", skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageLimit>,
}

/// At most so many devices of a type, a vendor's type, or a model (`gpu`, `nvidia/gpu`, `nvidia/gpu/1080ti`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeviceLimit {
    pub name: String,
    pub count: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StorageLimit {
    /// The newer place of [`QuotaLimit::variables_limit`].
    #[serde(rename = "VariablesMB")]
    pub variables_mib: i64,
}

/// How much of a quota is in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct QuotaUsage {
    pub name: String,
    /// By the limit's hash.
    pub used: BTreeMap<String, QuotaLimit>,
    pub create_index: u64,
    pub modify_index: u64,
}

/// A quota in the servers' state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredQuota {
    pub spec: QuotaSpec,
    /// The servers' own region: its limit is the one that counts.
    pub region: String,
}

impl StoredQuota {
    /// What holds here; none when the quota speaks of other regions only.
    pub fn limit(&self) -> Option<&QuotaLimit> {
        self.spec.limits.iter().find(|limit| limit.region == self.region)
    }
}

impl QuotaLimit {
    /// MiB of variables, whichever of the two places says so.
    pub fn variables_mib(&self) -> i64 {
        let newer = self.region_limit.as_ref().and_then(|limit| limit.storage.as_ref()).map_or(0, |storage| storage.variables_mib);
        self.variables_limit.filter(|limit| *limit != 0).unwrap_or(newer)
    }
}

/// What allocations hold, or ask for, of what quotas limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaUse {
    pub cpu_mhz: u64,
    pub cores: u64,
    pub memory_mib: u64,
    pub memory_max_mib: u64,
    /// By what each is called: a full name where the device is chosen, else as much of it as is asked for.
    pub devices: BTreeMap<Name, u64>,
}

impl QuotaUse {
    /// What an allocation with these resources holds.
    pub fn of(resources: &AllocatedResources) -> Self {
        // Whole cores are counted as cores: how many MHz they are differs from node to node.
        let shares = |task: &AllocatedTask| {
            let amounts = task.amounts();
            if task.cpu.reserved_cores.is_empty() { amounts } else { Amounts { cpu_mhz: 0, ..amounts } }
        };
        let amounts = resources.most(shares);
        let mut devices: BTreeMap<Name, u64> = BTreeMap::new();
        for device in resources.tasks.values().flat_map(|task| task.devices.iter()) {
            let name = format!("{}/{}/{}", device.vendor, device.kind, device.name);
            *devices.entry(name.into()).or_default() += device.device_ids.len() as u64;
        }
        Self {
            cpu_mhz: amounts.cpu_mhz,
            cores: resources.tasks.values().map(|task| task.cpu.reserved_cores.len() as u64).sum(),
            memory_mib: amounts.memory_mib,
            memory_max_mib: amounts.memory_max_mib,
            devices,
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn add(&mut self, other: &Self) {
        self.cpu_mhz = self.cpu_mhz.saturating_add(other.cpu_mhz);
        self.cores = self.cores.saturating_add(other.cores);
        self.memory_mib = self.memory_mib.saturating_add(other.memory_mib);
        self.memory_max_mib = self.memory_max_mib.saturating_add(other.memory_max_mib);
        for (name, count) in &other.devices {
            *self.devices.entry(name.clone()).or_default() += count;
        }
    }

    /// The inverse of [`Self::add`].
    pub fn remove(&mut self, other: &Self) {
        self.cpu_mhz = self.cpu_mhz.saturating_sub(other.cpu_mhz);
        self.cores = self.cores.saturating_sub(other.cores);
        self.memory_mib = self.memory_mib.saturating_sub(other.memory_mib);
        self.memory_max_mib = self.memory_max_mib.saturating_sub(other.memory_max_mib);
        for (name, count) in &other.devices {
            if let Some(known) = self.devices.get_mut(name) {
                *known = known.saturating_sub(*count);
            }
        }
        self.devices.retain(|_, count| *count > 0);
    }

    fn devices_called(&self, limited: &str) -> u64 {
        self.devices.iter().filter(|(name, _)| covers(limited, name)).map(|(_, count)| count).sum()
    }

    /// The same numbers in the shape of a limit, for devices those that `limit` names.
    pub fn shown(&self, limit: &RegionLimit) -> RegionLimit {
        let number = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
        let device = |device: &DeviceLimit| DeviceLimit { name: device.name.clone(), count: number(self.devices_called(&device.name)) };
        RegionLimit {
            cpu_mhz: number(self.cpu_mhz),
            cores: number(self.cores),
            memory_mib: number(self.memory_mib),
            memory_max_mib: number(self.memory_max_mib),
            devices: limit.devices.iter().map(device).collect(),
            ..RegionLimit::default()
        }
    }
}

/// Whether every device that is called `name` is one of those that are limited.
fn covers(limited: &str, name: &str) -> bool {
    let split = |name: &'_ str| {
        let mut parts = name.splitn(3, '/').map(str::to_owned);
        match (parts.next(), parts.next(), parts.next()) {
            (vendor, Some(kind), model) => (vendor, kind, model),
            (kind, None, _) => (None, kind.unwrap_or_default(), None),
        }
    };
    let ((vendor, kind, model), device) = (split(limited), split(name));
    kind == device.1 && (vendor.is_none() || vendor == device.0) && (model.is_none() || model == device.2)
}

impl RegionLimit {
    /// The first thing of which `asked` is more than there is left beside `used`, in words; none if there is enough of everything. `freed` is what leaves in
    /// exchange, and is in `used` no longer: who asks for no more than that lacks nothing, also where limits were lowered below what is in use.
    pub fn shortage(&self, used: &QuotaUse, asked: &QuotaUse, freed: &QuotaUse) -> Option<String> {
        let plain = [
            ("cpu", "MHz", self.cpu_mhz, [used.cpu_mhz, asked.cpu_mhz, freed.cpu_mhz]),
            ("cores", "cores", self.cores, [used.cores, asked.cores, freed.cores]),
            ("memory", "MiB", self.memory_mib, [used.memory_mib, asked.memory_mib, freed.memory_mib]),
            ("memory_max", "MiB", self.memory_max_mib, [used.memory_max_mib, asked.memory_max_mib, freed.memory_max_mib]),
        ];
        let devices = self.devices.iter().map(|device| {
            let amounts = [used, asked, freed].map(|counted| counted.devices_called(&device.name));
            (device.name.as_str(), "devices", device.count, amounts)
        });
        plain.into_iter().chain(devices).find_map(|(what, unit, limit, amounts)| lack(what, unit, limit, amounts))
    }
}

fn lack(what: &str, unit: &str, limit: i64, [used, asked, freed]: [u64; 3]) -> Option<String> {
    if limit == 0 || asked <= freed {
        return None;
    }
    match u64::try_from(limit) {
        Ok(limit) if used.saturating_add(asked) <= limit => None,
        Ok(limit) => Some(format!("{what} exhausted ({asked} {unit} asked for, {} of {limit} left)", limit.saturating_sub(used))),
        Err(_) => Some(format!("{what} exhausted ({asked} {unit} asked for, none is allowed)")),
    }
}

impl QuotaSpec {
    /// Why it cannot be a quota.
    pub fn check(&self) -> Result<(), String> {
        crate::namespace::check("quota", &self.name, &self.description)?;
        let mut regions: Vec<&str> = self.limits.iter().map(|limit| limit.region.as_str()).collect();
        if self.limits.is_empty() {
            return Err(format!("quota {:?} limits nothing: add a limit for a region", self.name));
        }
        if regions.contains(&"") {
            return Err(format!("a limit of quota {:?} names no region", self.name));
        }
        regions.sort_unstable();
        if let Some(twice) = regions.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("quota {:?} has two limits for region {:?}", self.name, twice[0]));
        }
        for limit in self.limits.iter().filter_map(|limit| limit.region_limit.as_ref()) {
            if limit.disk_mib != 0 {
                return Err(format!("quota {:?} limits disk space, which quotas do not count", self.name));
            }
            if limit.devices.iter().any(|device| device.name.is_empty()) {
                return Err(format!("a device that quota {:?} limits has no name", self.name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::{AllocatedCpu, AllocatedDevice, AllocatedMemory};

    fn devices(of: &[(&str, i64)]) -> List<DeviceLimit> {
        of.iter().map(|(name, count)| DeviceLimit { name: (*name).to_owned(), count: *count }).collect()
    }

    #[test]
    fn nothing_of_it_no_limit_and_so_much() {
        let asked = QuotaUse { cpu_mhz: 100, memory_mib: 10, ..QuotaUse::default() };
        let limit = |cpu_mhz, memory_mib| RegionLimit { cpu_mhz, memory_mib, ..RegionLimit::default() };
        for (limit, used, want) in [
            (limit(0, 0), 10_000, None),
            (limit(100, 0), 0, None),
            (limit(100, 0), 1, Some("cpu exhausted (100 MHz asked for, 99 of 100 left)")),
            (limit(100, 0), 200, Some("cpu exhausted (100 MHz asked for, 0 of 100 left)")),
            (limit(-1, 0), 0, Some("cpu exhausted (100 MHz asked for, none is allowed)")),
            (limit(0, 9), 0, Some("memory exhausted (10 MiB asked for, 9 of 9 left)")),
            (RegionLimit { cores: -1, ..limit(0, 0) }, 0, None),
        ] {
            let used = QuotaUse { cpu_mhz: used, ..QuotaUse::default() };
            assert_eq!(limit.shortage(&used, &asked, &QuotaUse::default()).as_deref(), want, "{limit:?} beside {used:?}");
            assert_eq!(limit.shortage(&used, &asked, &asked), None, "in exchange for as much");
        }
    }

    #[test]
    fn devices_are_counted_by_as_much_of_their_name_as_the_limit_says() {
        let called = |name: &str, count| QuotaUse { devices: BTreeMap::from([(name.into(), count)]), ..QuotaUse::default() };
        for (limited, asked, want) in [
            ("gpu", "nvidia/gpu/1080ti", true),
            ("nvidia/gpu", "nvidia/gpu/1080ti", true),
            ("nvidia/gpu/1080ti", "nvidia/gpu/1080ti", true),
            ("nvidia/gpu/2080", "nvidia/gpu/1080ti", false),
            ("amd/gpu", "nvidia/gpu/1080ti", false),
            ("nvidia/gpu/1080ti", "nvidia/gpu", false),
            ("gpu", "gpu", true),
        ] {
            let limit = RegionLimit { devices: devices(&[(limited, 2)]), ..RegionLimit::default() };
            assert_eq!(
                limit.shortage(&called("x/fpga/y", 7), &called(asked, 3), &QuotaUse::default()).is_some(),
                want,
                "{asked} of {limited}"
            );
            assert_eq!(limit.shortage(&called("x/fpga/y", 7), &called(asked, 2), &QuotaUse::default()), None, "{asked} of {limited}");
        }
    }

    #[test]
    fn whole_cores_are_no_shares() {
        let task = |cpu_mhz, cores: &[u16]| AllocatedTask {
            cpu: AllocatedCpu { cpu_mhz, reserved_cores: cores.to_vec().into() },
            memory: AllocatedMemory { memory_mib: 10, memory_max_mib: 30 },
            devices: vec![AllocatedDevice {
                vendor: "v".to_owned(),
                kind: "t".to_owned(),
                name: "n".to_owned(),
                device_ids: vec!["1".to_owned()].into(),
            }]
            .into(),
            ..AllocatedTask::default()
        };
        let tasks = BTreeMap::from([("a".into(), task(500, &[])), ("b".into(), task(4000, &[1, 2]))]);
        let held = QuotaUse::of(&AllocatedResources { tasks, ..AllocatedResources::default() });
        let want = QuotaUse { cpu_mhz: 500, cores: 2, memory_mib: 20, memory_max_mib: 60, devices: BTreeMap::from([("v/t/n".into(), 2)]) };
        assert_eq!(held, want);
        let mut sum = QuotaUse::default();
        sum.add(&held);
        sum.remove(&held);
        assert!(sum.is_empty());
    }

    #[test]
    fn quotas_that_cannot_be_are_refused() {
        let limit = |region: &str| QuotaLimit { region: region.to_owned(), ..QuotaLimit::default() };
        let disk = QuotaLimit { region_limit: Some(RegionLimit { disk_mib: 1, ..RegionLimit::default() }), ..limit("global") };
        for (name, limits, want) in [
            ("team", vec![limit("global")], None),
            ("te am", vec![limit("global")], Some("invalid quota name")),
            ("team", vec![], Some("limits nothing")),
            ("team", vec![limit("")], Some("names no region")),
            ("team", vec![limit("a"), limit("b"), limit("a")], Some("two limits for region \"a\"")),
            ("team", vec![disk], Some("limits disk space")),
        ] {
            let spec = QuotaSpec { name: name.to_owned(), limits: limits.into(), ..QuotaSpec::default() };
            let refused = spec.check().err();
            assert_eq!(refused.is_some(), want.is_some(), "{refused:?}");
            assert!(refused.is_none_or(|text| text.contains(want.unwrap_or_default())));
        }
    }
}

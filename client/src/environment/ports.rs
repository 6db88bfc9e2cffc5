//! Addresses and ports in a task's environment.

use std::collections::BTreeMap;

use drover_model::allocation::Allocation;

use super::clean;

/// One port as the allocation was given it.
struct Given<'a> {
    label: &'a str,
    ip: &'a str,
    value: u16,
    to: i64,
}

pub(super) fn add(allocation: &Allocation, task: Option<&str>, variables: &mut BTreeMap<String, String>) {
    let shared = &allocation.resources.shared;
    for port in &shared.ports {
        let ip = if port.host_ip.is_empty() { shared.networks.first().map_or("", |network| network.ip.as_str()) } else { &port.host_ip };
        group_port(&Given { label: &port.label, ip, value: port.value, to: port.to }, variables);
    }
    for (owner, resources) in &allocation.resources.tasks {
        for network in &resources.networks {
            for port in network.ports() {
                let given = Given { label: &port.label, ip: &network.ip, value: port.value, to: port.to };
                if task == Some(&**owner) {
                    group_port(&given, variables);
                } else {
                    other_task_port(owner, &given, variables);
                }
            }
        }
    }
}

fn group_port(port: &Given<'_>, variables: &mut BTreeMap<String, String>) {
    let label = clean(port.label);
    let inside = u16::try_from(port.to).ok().filter(|to| *to > 0).unwrap_or(port.value);
    let mut add = |name: &str, value: String| variables.insert(format!("NOMAD_{name}_{label}"), value);
    let address = host_and_port(port.ip, port.value);
    add("IP", port.ip.to_owned());
    add("PORT", inside.to_string());
    add("ADDR", address.clone());
    add("HOST_IP", port.ip.to_owned());
    add("HOST_PORT", port.value.to_string());
    add("HOST_ADDR", address);
    add("ALLOC_PORT", inside.to_string());
}

fn other_task_port(task: &str, port: &Given<'_>, variables: &mut BTreeMap<String, String>) {
    let label = format!("{}_{}", clean(task), clean(port.label));
    variables.insert(format!("NOMAD_IP_{label}"), port.ip.to_owned());
    variables.insert(format!("NOMAD_PORT_{label}"), port.value.to_string());
    variables.insert(format!("NOMAD_ADDR_{label}"), host_and_port(port.ip, port.value));
}

/// With brackets around an address of IPv6.
pub(crate) fn host_and_port(ip: &str, port: u16) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

//! What a task finds in its environment, and what `${...}` in a job stands for.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{
    allocation::Allocation,
    job::{Task, TaskGroup},
    node::Node,
};
use serde_json::Value;

use crate::drivers::TaskDirs;

pub(crate) mod ports;
#[cfg(test)]
mod tests;

/// Variables of the agent's own environment that tasks never see: they are the agent's secrets.
const DENIED: [&str; 14] = [
    "CONSUL_TOKEN",
    "CONSUL_HTTP_TOKEN",
    "CONSUL_HTTP_AUTH",
    "CONSUL_LICENSE",
    "VAULT_TOKEN",
    "VAULT_LICENSE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GITHUB_TOKEN",
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
];
/// Names that begin like this are the agent's settings.
const DENIED_PREFIXES: [&str; 2] = ["NOMAD_", "DROVER_"];

/// The variables of a task (or, without a task, of its group) and what can be interpolated.
#[derive(Clone)]
pub(crate) struct Environment {
    node: Arc<Node>,
    region: String,
    pub(crate) variables: BTreeMap<String, String>,
}

impl std::fmt::Debug for Environment {
    /// Names only: values are secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

/// What a task's variables are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs<'a> {
    pub(crate) node: &'a Arc<Node>,
    pub(crate) region: &'a str,
    pub(crate) allocation: &'a Allocation,
    pub(crate) group: &'a TaskGroup,
    pub(crate) task: Option<&'a Task>,
    pub(crate) dirs: Option<&'a TaskDirs>,
    /// The agent's own, when the driver's tasks inherit it.
    pub(crate) host: Option<&'a BTreeMap<String, String>>,
    pub(crate) denied: &'a [String],
    /// From hooks (tokens) and then from rendered files, in this order.
    pub(crate) added: &'a BTreeMap<String, String>,
}

impl Environment {
    pub(crate) fn build(inputs: Inputs<'_>) -> Self {
        let mut variables = BTreeMap::new();
        identities(&inputs, &mut variables);
        if let (Some(task), Some(dirs)) = (inputs.task, inputs.dirs) {
            of_task(&inputs, task, dirs, &mut variables);
        }
        ports::add(inputs.allocation, inputs.task.map(|task| task.name.as_str()), &mut variables);
        let mut environment = Self { node: Arc::clone(inputs.node), region: inputs.region.to_owned(), variables };
        for (key, value) in meta(inputs.allocation, inputs.group, inputs.task) {
            let value = environment.interpolate(&value);
            environment.variables.insert(format!("NOMAD_META_{}", clean(&key)), value.clone());
            environment.variables.insert(format!("NOMAD_META_{}", clean(&key).to_uppercase()), value);
        }
        if let Some(host) = inputs.host {
            let allowed = host.iter().filter(|(name, _)| !is_denied(name, inputs.denied));
            environment.variables.extend(allowed.map(|(name, value)| (name.clone(), value.clone())));
        }
        let own = inputs.task.into_iter().flat_map(|task| task.env.iter());
        let own: Vec<_> = own.map(|(name, value)| (environment.interpolate(name), environment.interpolate(value))).collect();
        environment.variables.extend(own);
        environment.variables.extend(inputs.added.iter().map(|(name, value)| (name.clone(), value.clone())));
        environment
    }

    /// Replaces every `${...}` that is known. An unknown one of the orchestrator's own is empty; anything else stays, because it may be a shell's.
    pub(crate) fn interpolate(&self, text: &str) -> String {
        if !text.contains("${") {
            return text.to_owned();
        }
        let (mut out, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(start) = rest.find("${") {
            let Some(end) = rest[start..].find('}').map(|end| start + end) else { break };
            out.push_str(&rest[..start]);
            match self.lookup(rest[start + 2..end].trim()) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&rest[start..=end]),
            }
            rest = &rest[end + 1..];
        }
        out.push_str(rest);
        out
    }

    /// Every text in a value, keys too.
    pub(crate) fn interpolate_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.interpolate(text)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.interpolate_value(item)).collect()),
            Value::Object(map) => Value::Object(self.interpolate_map(map)),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    pub(crate) fn interpolate_map(&self, map: &serde_json::Map<String, Value>) -> serde_json::Map<String, Value> {
        map.iter().map(|(key, value)| (self.interpolate(key), self.interpolate_value(value))).collect()
    }

    fn lookup(&self, key: &str) -> Option<String> {
        let node = &self.node;
        if let Some(attribute) = key.strip_prefix("attr.") {
            return Some(node.attributes.get(attribute).cloned().unwrap_or_default());
        }
        if let Some(meta) = key.strip_prefix("meta.") {
            return Some(node.meta.get(meta).cloned().unwrap_or_default());
        }
        if let Some(property) = key.strip_prefix("node.") {
            return Some(match property {
                "unique.id" => node.id.to_string(),
                "unique.name" => node.name.clone(),
                "datacenter" => node.datacenter.clone(),
                "region" => self.region.clone(),
                "class" => node.node_class.clone(),
                "pool" => node.node_pool.clone(),
                _ => String::new(),
            });
        }
        if ["device.", "secret."].iter().any(|prefix| key.starts_with(prefix)) {
            return Some(self.variables.get(key).cloned().unwrap_or_default());
        }
        let quoted = key.strip_prefix("env[").and_then(|rest| rest.strip_suffix(']')).map(|name| name.trim_matches(['"', '\'']));
        if let Some(name) = quoted.or_else(|| key.strip_prefix("env.")) {
            return Some(self.variables.get(name).cloned().unwrap_or_default());
        }
        let found = self.variables.get(key).or_else(|| self.variables.get(&clean(key))).cloned();
        found.or_else(|| key.starts_with("NOMAD_").then(String::new))
    }
}

fn identities(inputs: &Inputs<'_>, variables: &mut BTreeMap<String, String>) {
    let (allocation, job) = (inputs.allocation, &inputs.allocation.job);
    let mut add = |name: &str, value: String| variables.insert(name.to_owned(), value);
    add("NOMAD_ALLOC_ID", allocation.id.to_string());
    add("NOMAD_SHORT_ALLOC_ID", allocation.id.short());
    add("NOMAD_ALLOC_NAME", allocation.name.to_string());
    if let Some(index) = allocation.index() {
        add("NOMAD_ALLOC_INDEX", index.to_string());
    }
    add("NOMAD_GROUP_NAME", inputs.group.name.to_string());
    add("NOMAD_JOB_ID", allocation.job_id.to_string());
    add("NOMAD_JOB_NAME", job.name.clone());
    if !job.parent_id.is_empty() {
        add("NOMAD_JOB_PARENT_ID", job.parent_id.clone());
    }
    add("NOMAD_NAMESPACE", allocation.namespace.to_string());
    add("NOMAD_REGION", inputs.region.to_owned());
    add("NOMAD_DC", inputs.node.datacenter.clone());
}

fn of_task(inputs: &Inputs<'_>, task: &Task, dirs: &TaskDirs, variables: &mut BTreeMap<String, String>) {
    let mut add = |name: &str, value: String| variables.insert(name.to_owned(), value);
    add("NOMAD_TASK_NAME", task.name.clone());
    add("NOMAD_ALLOC_DIR", dirs.shared.display().to_string());
    add("NOMAD_TASK_DIR", dirs.local.display().to_string());
    add("NOMAD_SECRETS_DIR", dirs.secrets.display().to_string());
    if !inputs.node.cgroup_parent.is_empty() {
        add("NOMAD_PARENT_CGROUP", inputs.node.cgroup_parent.clone());
    }
    let Some(given) = inputs.allocation.resources.tasks.get(task.name.as_str()) else { return };
    add("NOMAD_CPU_LIMIT", given.cpu.cpu_mhz.to_string());
    if !given.cpu.reserved_cores.is_empty() {
        let cores: Vec<String> = given.cpu.reserved_cores.iter().map(u16::to_string).collect();
        add("NOMAD_CPU_CORES", cores.join(","));
    }
    add("NOMAD_MEMORY_LIMIT", given.memory.memory_mib.to_string());
    if given.memory.memory_max_mib > 0 {
        add("NOMAD_MEMORY_MAX_LIMIT", given.memory.memory_max_mib.to_string());
    }
}

/// The job's, overlaid by the group's, overlaid by the task's.
fn meta(allocation: &Allocation, group: &TaskGroup, task: Option<&Task>) -> BTreeMap<String, String> {
    let job = &allocation.job;
    let optional = job.parameterized_job.iter().flat_map(|parameterized| parameterized.meta_optional.iter());
    let mut meta: BTreeMap<String, String> = optional.map(|key| (key.clone(), String::new())).collect();
    for level in [Some(&job.meta), Some(&group.meta), task.map(|task| &task.meta)].into_iter().flatten() {
        meta.extend(level.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    meta
}

fn is_denied(name: &str, denied: &[String]) -> bool {
    let matches = |pattern: &String| pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix));
    DENIED.contains(&name) || DENIED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || denied.iter().any(matches)
}

/// What a shell takes as a name.
pub(crate) fn clean(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

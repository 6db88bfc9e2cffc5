//! The name that a service is registered under: the job's, with what it says in `${...}`, as the client reads it.

use drover_model::{
    allocation::Allocation,
    job::{Task, TaskGroup},
    node::Node,
};

use super::claims::Issue;

/// What is not known here stays as it is written, and then the catalogue does not know the service by this name either.
pub(super) fn of_service(text: &str, allocation: &Allocation, group: &TaskGroup, task: Option<&Task>, issue: Issue<'_>) -> String {
    if !text.contains("${") {
        return text.to_owned();
    }
    let known = Known { allocation, group, task, region: issue.region, node: issue.node };
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find("${") {
        let Some(end) = rest[start..].find('}').map(|end| start + end) else { break };
        out.push_str(&rest[..start]);
        match known.value(rest[start + 2..end].trim()) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&rest[start..=end]),
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    out
}

struct Known<'a> {
    allocation: &'a Allocation,
    group: &'a TaskGroup,
    task: Option<&'a Task>,
    region: &'a str,
    node: Option<&'a Node>,
}

impl Known<'_> {
    fn value(&self, key: &str) -> Option<String> {
        let of_node = |read: &dyn Fn(&Node) -> String| Some(self.node.map(read).unwrap_or_default());
        if let Some(name) = key.strip_prefix("attr.") {
            return of_node(&|node| node.attributes.get(name).cloned().unwrap_or_default());
        }
        if let Some(name) = key.strip_prefix("meta.") {
            return of_node(&|node| node.meta.get(name).cloned().unwrap_or_default());
        }
        if let Some(property) = key.strip_prefix("node.") {
            return of_node(&|node| match property {
                "unique.id" => node.id.to_string(),
                "unique.name" => node.name.clone(),
                "datacenter" => node.datacenter.clone(),
                "region" => self.region.to_owned(),
                "class" => node.node_class.clone(),
                "pool" => node.node_pool.clone(),
                _ => String::new(),
            });
        }
        let quoted = key.strip_prefix("env[").and_then(|rest| rest.strip_suffix(']')).map(|name| name.trim_matches(['"', '\'']));
        let name = quoted.or_else(|| key.strip_prefix("env.")).unwrap_or(key);
        let own = || self.task.and_then(|task| task.env.get(name)).cloned();
        own().or_else(|| self.orchestrators(name)).or_else(|| name.starts_with("NOMAD_").then(String::new))
    }

    fn orchestrators(&self, name: &str) -> Option<String> {
        let (allocation, job) = (self.allocation, &self.allocation.job);
        Some(match name {
            "NOMAD_ALLOC_ID" => allocation.id.to_string(),
            "NOMAD_SHORT_ALLOC_ID" => allocation.id.short(),
            "NOMAD_ALLOC_NAME" => allocation.name.to_string(),
            "NOMAD_ALLOC_INDEX" => allocation.index()?.to_string(),
            "NOMAD_GROUP_NAME" => self.group.name.to_string(),
            "NOMAD_TASK_NAME" => self.task?.name.clone(),
            "NOMAD_JOB_ID" => job.id.to_string(),
            "NOMAD_JOB_NAME" => job.name.clone(),
            "NOMAD_JOB_PARENT_ID" => job.parent_id.clone(),
            "NOMAD_NAMESPACE" => allocation.namespace.to_string(),
            "NOMAD_REGION" => self.region.to_owned(),
            "NOMAD_DC" => self.node?.datacenter.clone(),
            _ => return self.meta(name.strip_prefix("NOMAD_META_")?),
        })
    }

    /// The task's, else the group's, else the job's; names are written as a shell takes them, and in capitals, too.
    fn meta(&self, wanted: &str) -> Option<String> {
        let clean = |name: &str| name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect::<String>();
        let levels = [self.task.map(|task| &task.meta), Some(&self.group.meta), Some(&self.allocation.job.meta)];
        let mut all = levels.into_iter().flatten().flat_map(|level| level.iter());
        all.find(|(name, _)| clean(name) == wanted || clean(name).to_uppercase() == wanted).map(|(_, value)| value.clone())
    }
}

//! What differs between two versions of a job, for `job plan` and the history of versions.
//!
//! Both jobs are compared in their JSON form: the names there are those that people know from job files and the API. [`tables`] says which blocks are
//! shown under which name, in which order, and how the items of their lists are told apart. Values whose names suggest a secret are not shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ids::Name,
    job::{Job, TaskGroup},
    json::List,
    plan::DesiredUpdates,
};

mod annotate;
mod compare;
mod tables;

pub use annotate::annotate;

use compare::{fields, kind_of, objects};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DiffType {
    #[default]
    None,
    Added,
    Deleted,
    Edited,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobDiff {
    #[serde(rename = "Type")]
    pub kind: DiffType,
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(rename = "Fields")]
    pub fields: List<FieldDiff>,
    #[serde(rename = "Objects")]
    pub objects: List<ObjectDiff>,
    #[serde(rename = "TaskGroups")]
    pub task_groups: List<TaskGroupDiff>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaskGroupDiff {
    #[serde(rename = "Type")]
    pub kind: DiffType,
    pub name: String,
    pub fields: List<FieldDiff>,
    pub objects: List<ObjectDiff>,
    pub tasks: List<TaskDiff>,
    /// How many allocations the change creates, destroys, updates...; only in plans.
    pub updates: Option<BTreeMap<String, u32>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaskDiff {
    #[serde(rename = "Type")]
    pub kind: DiffType,
    pub name: String,
    pub fields: List<FieldDiff>,
    pub objects: List<ObjectDiff>,
    pub annotations: List<String>,
}

/// A block, or a list of plain values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ObjectDiff {
    #[serde(rename = "Type")]
    pub kind: DiffType,
    pub name: String,
    pub fields: List<FieldDiff>,
    pub objects: List<ObjectDiff>,
}

/// A value; empty where it is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct FieldDiff {
    #[serde(rename = "Type")]
    pub kind: DiffType,
    pub name: String,
    pub old: String,
    pub new: String,
    pub annotations: List<String>,
}

/// Compares two versions; either may be missing. With `contextual`, blocks that changed show their unchanged values too.
///
/// Groups and tasks are listed whether they changed or not.
pub fn diff(old: Option<&Job>, new: Option<&Job>, contextual: bool) -> JobDiff {
    let (old_json, new_json) = (json(old), json(new));
    let mut diff = JobDiff {
        id: new.or(old).map(|job| job.id.to_string()).unwrap_or_default(),
        fields: fields(&old_json, &new_json, &tables::JOB, false),
        objects: objects(&old_json, &new_json, &tables::JOB, contextual),
        task_groups: pairs(old, new).map(|(old, new)| group(old, new, contextual)).collect(),
        ..JobDiff::default()
    };
    let changed = !diff.fields.is_empty() || !diff.objects.is_empty() || diff.task_groups.iter().any(|group| group.kind != DiffType::None);
    diff.kind = kind_of(old.is_some(), new.is_some(), changed);
    diff
}

fn json(value: Option<&impl Serialize>) -> Value {
    // A job is plain data: writing it as JSON cannot fail, and an absent one compares as nothing.
    value.and_then(|value| serde_json::to_value(value).ok()).unwrap_or(Value::Null)
}

/// The groups of both versions by name.
fn pairs<'a>(old: Option<&'a Job>, new: Option<&'a Job>) -> impl Iterator<Item = (Option<&'a TaskGroup>, Option<&'a TaskGroup>)> {
    let mut pairs: BTreeMap<&Name, (Option<&TaskGroup>, Option<&TaskGroup>)> = BTreeMap::new();
    for group in old.into_iter().flat_map(|job| job.task_groups.iter()) {
        pairs.entry(&group.name).or_default().0 = Some(group);
    }
    for group in new.into_iter().flat_map(|job| job.task_groups.iter()) {
        pairs.entry(&group.name).or_default().1 = Some(group);
    }
    pairs.into_values()
}

fn group(old: Option<&TaskGroup>, new: Option<&TaskGroup>, contextual: bool) -> TaskGroupDiff {
    let (old_json, new_json) = (json(old), json(new));
    let mut names: Vec<&str> =
        [old, new].into_iter().flatten().flat_map(|group| group.tasks.iter().map(|task| task.name.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    let mut diff = TaskGroupDiff {
        name: new.or(old).map(|group| group.name.to_string()).unwrap_or_default(),
        fields: fields(&old_json, &new_json, &tables::GROUP, false),
        objects: objects(&old_json, &new_json, &tables::GROUP, contextual),
        tasks: names.into_iter().map(|name| task(name, old, new, contextual)).collect(),
        ..TaskGroupDiff::default()
    };
    let changed = !diff.fields.is_empty() || !diff.objects.is_empty() || diff.tasks.iter().any(|task| task.kind != DiffType::None);
    diff.kind = kind_of(old.is_some(), new.is_some(), changed);
    diff
}

fn task(name: &str, old: Option<&TaskGroup>, new: Option<&TaskGroup>, contextual: bool) -> TaskDiff {
    let find = |group: Option<&TaskGroup>| -> Value {
        let Some(group) = group else { return Value::Null };
        let task = group.task(name);
        let mut found = json(task);
        // A task that follows its group's restart policy has nothing of its own to show.
        if let (Some(task), Value::Object(entries)) = (task, &mut found)
            && task.restart_policy == group.restart_policy
        {
            entries.remove("RestartPolicy");
        }
        found
    };
    let (old, new) = (find(old), find(new));
    let mut diff = TaskDiff {
        name: name.to_owned(),
        fields: fields(&old, &new, &tables::TASK, false),
        objects: objects(&old, &new, &tables::TASK, contextual),
        ..TaskDiff::default()
    };
    let changed = !diff.fields.is_empty() || !diff.objects.is_empty();
    diff.kind = kind_of(old.is_object(), new.is_object(), changed);
    diff
}

#[cfg(test)]
mod tests;

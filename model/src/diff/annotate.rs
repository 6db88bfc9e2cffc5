//! What a change does to allocations, noted beside it.

use super::*;

/// Values and blocks of a task that running tasks need not be started anew for.
const IN_PLACE: [&str; 10] =
    ["KillTimeout", "KillSignal", "Leader", "ShutdownDelay", "Constraint", "Affinity", "Service", "RestartPolicy", "Action", "Scaling"];

/// Notes in a diff what a plan does with it: how many allocations per group, and which values make it so.
pub fn annotate(diff: &mut JobDiff, updates: &BTreeMap<Name, DesiredUpdates>) {
    for group in &mut diff.task_groups.0 {
        if let Some(updates) = updates.get(group.name.as_str()) {
            group.updates = Some(counts(updates));
        }
        for field in group.fields.0.iter_mut().filter(|field| field.name == "Count") {
            let number = |text: &str| text.parse::<u64>().unwrap_or(0);
            let note = match number(&field.new).cmp(&number(&field.old)) {
                std::cmp::Ordering::Greater => "forces create",
                std::cmp::Ordering::Less => "forces destroy",
                std::cmp::Ordering::Equal => continue,
            };
            field.annotations = List(vec![note.to_owned()]);
        }
        let group_kind = group.kind;
        for task in &mut group.tasks.0 {
            if let Some(note) = effect(task, group_kind) {
                task.annotations = List(vec![note.to_owned()]);
            }
        }
    }
}

fn counts(updates: &DesiredUpdates) -> BTreeMap<String, u32> {
    let all = [
        ("ignore", updates.ignore),
        ("create", updates.place),
        ("migrate", updates.migrate),
        ("destroy", updates.stop),
        ("in-place update", updates.in_place_update),
        ("create/destroy update", updates.destructive_update),
        ("canary", updates.canary),
        ("preemption", updates.preemptions),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| (name.to_owned(), count)).collect()
}

fn effect(task: &TaskDiff, group: DiffType) -> Option<&'static str> {
    match (task.kind, group) {
        (DiffType::None, _) => None,
        (_, DiffType::Added) => Some("forces create"),
        (_, DiffType::Deleted) => Some("forces destroy"),
        (DiffType::Added | DiffType::Deleted, _) => Some("forces create/destroy update"),
        (DiffType::Edited, _) => {
            let fields = task.fields.iter().filter(|field| field.kind != DiffType::None).map(|field| &field.name);
            let mut names = fields.chain(task.objects.iter().map(|object| &object.name));
            let in_place = names.all(|name| IN_PLACE.contains(&name.as_str()));
            Some(if in_place { "forces in-place update" } else { "forces create/destroy update" })
        }
    }
}

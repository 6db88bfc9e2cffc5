use serde_json::json;

use super::*;
use crate::spec::{JobSpec, admit::admit};

fn base() -> Value {
    json!({"ID": "web", "Meta": {"team": "core"}, "TaskGroups": [{"Name": "app", "Count": 2,
        "Networks": [{"DynamicPorts": [{"Label": "http"}]}],
        "Services": [{"Name": "web", "PortLabel": "http", "Tags": ["a", "b"]}],
        "Tasks": [{"Name": "server", "Driver": "raw_exec", "Config": {"command": "/bin/sh", "args": ["-c", "true"]},
            "Env": {"DB_PASSWORD": "first", "LEVEL": "info"},
            "Templates": [{"DestPath": "local/a", "EmbeddedTmpl": "x"}],
            "Artifacts": [{"GetterSource": "https://x.example/a", "GetterHeaders": {"Authorization": "Bearer abc"}}]}]}]})
}

fn job(json: Value) -> Job {
    let spec: JobSpec = serde_json::from_value(json).unwrap();
    admit(spec).unwrap().0
}

/// The base job with one value changed.
fn changed(pointer: &str, value: Value) -> Job {
    let mut json = base();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    json.pointer_mut(parent).unwrap()[key] = value;
    job(json)
}

/// Every change as one line: path, old, new.
fn lines(diff: &JobDiff) -> Vec<String> {
    fn of(path: &str, fields: &[FieldDiff], objects: &[ObjectDiff], lines: &mut Vec<String>) {
        for field in fields {
            lines.push(format!("{path}{} {:?}: {:?} -> {:?}", field.name, field.kind, field.old, field.new));
        }
        for object in objects {
            of(&format!("{path}{}.", object.name), &object.fields, &object.objects, lines);
        }
    }
    let mut lines = Vec::new();
    of("", &diff.fields, &diff.objects, &mut lines);
    for group in &diff.task_groups {
        of(&format!("{}/", group.name), &group.fields, &group.objects, &mut lines);
        for task in &group.tasks {
            of(&format!("{}/{}/", group.name, task.name), &task.fields, &task.objects, &mut lines);
        }
    }
    lines
}

#[test]
fn each_change_is_shown_where_it_is() {
    let task = "/TaskGroups/0/Tasks/0";
    for (pointer, value, expected) in [
        ("/Meta/note".to_owned(), json!("x"), &["Meta[note] Added: \"\" -> \"x\""][..]),
        ("/Priority".to_owned(), json!(60), &["Priority Edited: \"50\" -> \"60\""]),
        ("/TaskGroups/0/Count".to_owned(), json!(3), &["app/Count Edited: \"2\" -> \"3\""]),
        (
            "/Datacenters".to_owned(),
            json!(["dc1"]),
            &["Datacenters.Datacenters Deleted: \"*\" -> \"\"", "Datacenters.Datacenters Added: \"\" -> \"dc1\""],
        ),
        (format!("{task}/Env/LEVEL"), json!("debug"), &["app/server/Env[LEVEL] Edited: \"info\" -> \"debug\""]),
        (format!("{task}/Config/args"), json!(["-c"]), &["app/server/Config.args[1] Deleted: \"true\" -> \"\""]),
        (
            format!("{task}/Env"),
            json!({"DB_PASSWORD": "second", "LEVEL": "info"}),
            &["app/server/Env[DB_PASSWORD] Edited: \"<hidden>\" -> \"<hidden>\""],
        ),
        (format!("{task}/Templates/0/EmbeddedTmpl"), json!("y"), &["app/server/Template.EmbeddedTmpl Edited: \"x\" -> \"y\""]),
        (
            "/TaskGroups/0/Services/0/Tags".to_owned(),
            json!(["b", "c"]),
            &["app/Service.Tags.Tags Deleted: \"a\" -> \"\"", "app/Service.Tags.Tags Added: \"\" -> \"c\""],
        ),
        ("/TaskGroups/0/RestartPolicy".to_owned(), json!({"Attempts": 1}), &["app/RestartPolicy.Attempts Edited: \"2\" -> \"1\""]),
        (
            format!("{task}/RestartPolicy"),
            json!({"Attempts": 1, "Interval": 1_800_000_000_000_i64, "Delay": 15_000_000_000_i64}),
            &[
                "app/server/RestartPolicy.Attempts Added: \"\" -> \"1\"",
                "app/server/RestartPolicy.Delay Added: \"\" -> \"15000000000\"",
                "app/server/RestartPolicy.Interval Added: \"\" -> \"1800000000000\"",
                "app/server/RestartPolicy.Mode Added: \"\" -> \"fail\"",
                "app/server/RestartPolicy.RenderTemplates Added: \"\" -> \"false\"",
            ],
        ),
    ] {
        let (old, new) = (job(base()), changed(&pointer, value));
        let found = diff(Some(&old), Some(&new), false);
        assert_eq!(lines(&found), expected, "{pointer}");
        assert_eq!(found.kind, DiffType::Edited);
    }
}

#[test]
fn equal_jobs_differ_in_nothing_whatever_the_servers_noted() {
    let old = job(base());
    let new = Job { version: 4, status: crate::job::JobStatus::Running, modify_index: 9, ..old.clone() };
    let found = diff(Some(&old), Some(&new), true);
    assert_eq!((found.kind, lines(&found).len(), found.task_groups.len()), (DiffType::None, 0, 1));
    assert_eq!(diff(None, None, true).kind, DiffType::None);
}

#[test]
fn a_new_job_is_all_added_and_a_gone_one_all_deleted() {
    let only = job(base());
    for (found, kind) in [(diff(None, Some(&only), true), DiffType::Added), (diff(Some(&only), None, true), DiffType::Deleted)] {
        assert_eq!((found.kind, found.task_groups[0].kind, found.task_groups[0].tasks[0].kind), (kind, kind, kind));
        let text = serde_json::to_string(&found).unwrap();
        assert!(!text.contains("Bearer abc") && !text.contains("first"), "{text}");
    }
}

#[test]
fn unchanged_values_of_changed_blocks_are_context() {
    let new = changed("/TaskGroups/0/Tasks/0/Resources", json!({"CPU": 50}));
    let found = diff(Some(&job(base())), Some(&new), true);
    let resources = &found.task_groups[0].tasks[0].objects[0];
    assert_eq!(resources.name, "Resources");
    assert!(resources.fields.iter().any(|field| field.name == "MemoryMB" && field.kind == DiffType::None && field.old == "300"));
}

#[test]
fn a_plan_says_what_each_change_does() {
    let updates = BTreeMap::from([("app".into(), DesiredUpdates { place: 1, in_place_update: 2, ..DesiredUpdates::default() })]);
    for (pointer, value, note) in [
        ("/TaskGroups/0/Tasks/0/KillTimeout", json!("9s"), "forces in-place update"),
        ("/TaskGroups/0/Tasks/0/Constraints", json!([{"LTarget": "${attr.x}", "Operand": "is_set"}]), "forces in-place update"),
        ("/TaskGroups/0/Tasks/0/User", json!("nobody"), "forces create/destroy update"),
        ("/TaskGroups/0/Tasks/0/Env", json!({"A": "b"}), "forces create/destroy update"),
    ] {
        let mut found = diff(Some(&job(base())), Some(&changed(pointer, value)), true);
        annotate(&mut found, &updates);
        assert_eq!(found.task_groups[0].tasks[0].annotations.0, [note], "{pointer}");
        let counts = found.task_groups[0].updates.clone().unwrap();
        assert_eq!(counts, BTreeMap::from([("create".to_owned(), 1), ("in-place update".to_owned(), 2)]));
    }
    let mut scaled = diff(Some(&job(base())), Some(&changed("/TaskGroups/0/Count", json!(1))), true);
    annotate(&mut scaled, &BTreeMap::new());
    assert_eq!(scaled.task_groups[0].fields[0].annotations.0, ["forces destroy"]);
    assert_eq!(scaled.task_groups[0].updates, None);
}

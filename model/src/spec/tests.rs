use serde_json::{Value, json};

use super::*;

#[test]
fn every_key_is_printed_and_null_means_absent() {
    let printed = serde_json::to_value(JobSpec::default()).unwrap();
    let keys = printed.as_object().unwrap();
    assert_eq!(keys.len(), 38);
    assert!(keys.iter().all(|(key, value)| value.is_null() || key == "Dispatched"));
    let task = serde_json::to_value(Task::default()).unwrap();
    assert_eq!(task["KillTimeout"], Value::Null);
    assert_eq!(task["ShutdownDelay"], 0);
    assert!(task.get("CSIPluginConfig").is_none());
    let again: JobSpec = serde_json::from_value(printed).unwrap();
    assert_eq!(again, JobSpec::default());
}

#[test]
fn unknown_keys_and_nulls_are_accepted_but_not_null_elements() {
    let lenient = json!({"ID": "x", "Nonsense": 1, "TaskGroups": [{"Name": null, "Tasks": null, "ShutdownDelay": "30s"}]});
    let spec: JobSpec = serde_json::from_value(lenient).unwrap();
    assert_eq!(spec.task_groups[0].shutdown_delay, Some(Nanos::seconds(30)));
    for broken in [json!({"TaskGroups": [null]}), json!({"TaskGroups": [{"Tasks": [null]}]}), json!({"Datacenters": [null]})] {
        assert!(serde_json::from_value::<JobSpec>(broken.clone()).is_err(), "{broken}");
    }
}

#[test]
fn canonicalizing_twice_changes_nothing_more() {
    let mut spec: JobSpec = serde_json::from_value(json!({
        "ID": "x", "Update": {"Stagger": 5}, "Reschedule": {"Delay": "7s"},
        "TaskGroups": [{"Name": "g", "Services": [{"CheckRestart": {"Limit": 2}, "Checks": [{}]}],
            "Tasks": [{"Name": "t", "Templates": [{"ChangeMode": "signal"}], "Resources": {"Cores": 2}}]}],
    }))
    .unwrap();
    spec.canonicalize();
    let group = &spec.task_groups[0];
    assert_eq!(group.update.as_ref().unwrap().stagger, Some(Nanos(5)));
    assert_eq!(group.reschedule.as_ref().unwrap().delay, Some(Nanos::seconds(7)));
    assert_eq!(group.services[0].name, "x-g");
    assert_eq!(group.services[0].checks[0].check_restart.as_ref().unwrap().limit, 2);
    assert_eq!(group.tasks[0].resources.as_ref().unwrap().cpu, Some(0));
    assert_eq!(group.tasks[0].templates[0].change_signal.as_deref(), Some("SIGHUP"));
    let once = spec.clone();
    spec.canonicalize();
    assert_eq!(spec, once);
}

#[test]
fn changes_roll_only_where_something_keeps_running() {
    let problems = |kind: &str, lifecycle: Value| {
        let spec: JobSpec = serde_json::from_value(json!({
            "ID": "x", "Name": "x", "Type": kind, "Datacenters": ["dc1"],
            "TaskGroups": [{"Name": "g", "Count": 1, "Tasks": [
                {"Name": "main", "Driver": "raw_exec"},
                {"Name": "t", "Driver": "raw_exec", "Lifecycle": lifecycle,
                 "Templates": [{"EmbeddedTmpl": "x", "DestPath": "local/x", "ChangeMode": "rolling"}]},
            ]}],
        }))
        .unwrap();
        admit::admit(spec).err().map(|errors| errors.to_string()).unwrap_or_default()
    };
    let sidecar = json!({"Hook": "prestart", "Sidecar": true});
    for (name, kind, lifecycle, want) in [
        ("a service", "service", Value::Null, ""),
        ("a system job", "system", Value::Null, ""),
        ("a sidecar", "service", sidecar, ""),
        ("a batch job", "batch", Value::Null, "change mode \"rolling\" needs a service or system job, and this is a batch job"),
        ("a system batch job", "sysbatch", Value::Null, "and this is a sysbatch job"),
        ("what ends", "service", json!({"Hook": "prestart"}), "needs a task that keeps running, and this one is a prestart task"),
    ] {
        let told = problems(kind, lifecycle);
        assert!(told.contains(want) && told.is_empty() == want.is_empty(), "{name}: {told}");
    }
}

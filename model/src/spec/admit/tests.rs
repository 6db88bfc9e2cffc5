use serde_json::{Value, json};

use super::*;

fn spec(json: Value) -> JobSpec {
    serde_json::from_value(json).unwrap()
}

fn minimal() -> Value {
    json!({"ID": "web", "TaskGroups": [{"Name": "g", "Tasks": [{"Name": "t", "Driver": "raw_exec"}]}]})
}

#[test]
fn a_minimal_job_gets_every_default() {
    let (job, warnings) = admit(spec(minimal())).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!((&*job.id, &*job.namespace, job.priority, job.node_pool.as_str()), ("web", "default", 50, "default"));
    assert_eq!(job.datacenters.0, ["*"]);
    let task = &job.task_groups[0].tasks[0];
    assert_eq!(task.identity.as_ref().unwrap().name, "default");
    assert_eq!((task.resources.cpu_mhz, task.resources.memory_mib), (100, 300));
    assert_eq!(job.task_groups[0].update.as_ref().unwrap().max_parallel, 1);
}

#[test]
fn what_servers_decide_is_not_taken_from_the_submission() {
    let mut json = minimal();
    for (key, value) in [("Version", json!(7)), ("Status", json!("dead")), ("CreateIndex", json!(9)), ("Stable", json!(true))] {
        json[key] = value;
    }
    let (job, _) = admit(spec(json)).unwrap();
    assert_eq!((job.version, job.status, job.create_index, job.stable), (0, job::JobStatus::Pending, 0, false));
}

#[test]
fn all_problems_are_told_at_once_and_nested() {
    let broken = json!({"ID": "x y", "Name": "x", "Type": "weird", "Priority": 500, "TaskGroups": []});
    assert_eq!(
        admit(spec(broken)).unwrap_err().to_string(),
        "4 errors occurred:\n\t* Job ID contains a space\n\t* Invalid job type: \"weird\"\n\t* Missing job task groups\n\t* job priority must \
         be between [1, 100]\n\n"
    );
    let nested = json!({"ID": "bad", "TaskGroups": [{"Name": "g", "Tasks": [{"Name": "t", "Driver": ""}]}]});
    let errors = admit(spec(nested)).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "1 error occurred:\n\t* Task group g validation failed: 1 error occurred:\n\t* Task t validation failed: 1 error occurred:\n\t* \
         Missing task driver\n\n\n\n\n\n"
    );
    assert_eq!(errors.errors.len(), 1);
}

#[test]
fn values_beyond_their_range_are_refused_not_wrapped() {
    for (pointer, value) in [
        ("/TaskGroups/0/Count", json!(5_000_000_000_i64)),
        ("/TaskGroups/0/Count", json!(-1)),
        ("/TaskGroups/0/RestartPolicy", json!({"Attempts": 99_999_999_999_i64})),
        ("/TaskGroups/0/Tasks/0/Resources", json!({"MemoryMB": 99_999_999_999_i64})),
        ("/TaskGroups/0/Networks", json!([{"ReservedPorts": [{"Label": "p", "Value": 70_000}]}])),
        ("/Priority", json!(-5)),
    ] {
        let mut json = minimal();
        json["Priority"] = json!(50);
        for key in ["Count", "RestartPolicy", "Networks"] {
            json["TaskGroups"][0][key] = json!(null);
        }
        json["TaskGroups"][0]["Tasks"][0]["Resources"] = json!(null);
        *json.pointer_mut(pointer).unwrap() = value.clone();
        assert!(admit(spec(json)).is_err(), "{pointer} = {value}");
    }
}

#[test]
fn what_is_not_done_yet_is_refused_in_words() {
    for (pointer, value, word) in [
        ("/Multiregion", json!({"Regions": [{"Name": "west"}]}), "multiregion"),
        ("/TaskGroups/0/Services", json!([{"Name": "api", "Connect": {"Native": true}}]), "connect"),
        ("/TaskGroups/0/Volumes", json!({"v": {"Type": "csi", "Source": "s"}}), "CSI"),
        ("/TaskGroups/0/Tasks/0/Schedule", json!({"Cron": {"Start": "0 9 * * *", "End": "0 17"}}), "schedule"),
        ("/TaskGroups/0/Tasks/0/CSIPluginConfig", json!({"ID": "x"}), "csi_plugin"),
    ] {
        let mut json = minimal();
        json["Multiregion"] = json!(null);
        json["TaskGroups"][0]["Services"] = json!(null);
        json["TaskGroups"][0]["Volumes"] = json!(null);
        json["TaskGroups"][0]["Tasks"][0]["Schedule"] = json!(null);
        json["TaskGroups"][0]["Tasks"][0]["CSIPluginConfig"] = json!(null);
        *json.pointer_mut(pointer).unwrap() = value;
        let text = admit(spec(json)).unwrap_err().to_string();
        assert!(text.contains(word) && text.contains("not supported yet") || text.contains("only host volumes"), "{text}");
    }
}

#[test]
fn a_group_implies_the_constraints_of_what_it_uses() {
    let mut json = minimal();
    json["TaskGroups"][0]["Services"] = json!([{"Name": "web", "Provider": "nomad"}]);
    json["TaskGroups"][0]["Tasks"][0]["Vault"] = json!({"Role": "web"});
    json["TaskGroups"][0]["Tasks"][0]["KillSignal"] = json!("SIGINT");
    let (job, warnings) = admit(spec(json)).unwrap();
    let texts: Vec<String> = job.task_groups[0].constraints.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        ["${attr.vault.version} semver >= 0.6.1", "${attr.nomad.service_discovery} = true", "${attr.os.signals} set_contains SIGINT"]
    );
    assert_eq!(
        warnings_text(&warnings),
        "1 warning:\n\n* group \"g\" defines services, but neither the group nor any of its tasks have shutdown_delay set"
    );
}

use drover_model::{
    ids::NodeId,
    job::Job,
    resources::{AllocatedPort, AllocatedResources, AllocatedTask},
};

use super::*;

fn strings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn environment(env: &[(&str, &str)], host: &[(&str, &str)], added: &[(&str, &str)]) -> Environment {
    let node = Arc::new(Node {
        id: NodeId::from_random([9; 16]),
        name: "n1".to_owned(),
        attributes: strings(&[("kernel.name", "linux")]),
        meta: strings(&[("rack", "r7")]),
        ..Node::default()
    });
    let task = Task {
        name: "app".to_owned(),
        env: strings(env).into(),
        meta: strings(&[("level", "task"), ("a-b", "${node.unique.name}")]).into(),
        ..Task::default()
    };
    let group = TaskGroup { name: "web".into(), meta: strings(&[("level", "group"), ("only", "group")]).into(), ..TaskGroup::default() };
    let job = Job { id: "shop".into(), name: "shop".to_owned(), meta: strings(&[("level", "job")]).into(), ..Job::default() };
    let mut resources = AllocatedResources::default();
    let port = |label: &str, value, to| AllocatedPort { label: label.to_owned(), value, to, host_ip: "10.0.0.1".to_owned() };
    resources.shared.ports = vec![port("http", 20_001, 0), port("my-db", 20_002, 5432)].into();
    let mut given = AllocatedTask::default();
    (given.cpu.cpu_mhz, given.memory.memory_mib) = (50, 64);
    resources.tasks.insert("app".into(), given);
    let allocation = Allocation {
        name: "shop.web[3]".into(),
        job_id: "shop".into(),
        job: Arc::new(job),
        resources: Arc::new(resources),
        ..Allocation::default()
    };
    let dirs = TaskDirs::new(std::path::Path::new("/a/x"), "app");
    let (host, added) = (strings(host), strings(added));
    Environment::build(Inputs {
        node: &node,
        region: "global",
        allocation: &allocation,
        group: &group,
        task: Some(&task),
        dirs: Some(&dirs),
        host: Some(&host),
        denied: &["SECRET_*".to_owned()],
        added: &added,
    })
}

#[test]
fn variables_of_a_task() {
    let environment = environment(&[("OWN", "${NOMAD_TASK_DIR}/x")], &[], &[]);
    for (name, want) in [
        ("NOMAD_ALLOC_NAME", "shop.web[3]"),
        ("NOMAD_ALLOC_INDEX", "3"),
        ("NOMAD_GROUP_NAME", "web"),
        ("NOMAD_TASK_NAME", "app"),
        ("NOMAD_JOB_ID", "shop"),
        ("NOMAD_DC", "dc1"),
        ("NOMAD_REGION", "global"),
        ("NOMAD_ALLOC_DIR", "/a/x/alloc"),
        ("NOMAD_TASK_DIR", "/a/x/app/local"),
        ("NOMAD_SECRETS_DIR", "/a/x/app/secrets"),
        ("NOMAD_CPU_LIMIT", "50"),
        ("NOMAD_MEMORY_LIMIT", "64"),
        ("NOMAD_IP_http", "10.0.0.1"),
        ("NOMAD_PORT_http", "20001"),
        ("NOMAD_ADDR_http", "10.0.0.1:20001"),
        ("NOMAD_PORT_my_db", "5432"),
        ("NOMAD_HOST_PORT_my_db", "20002"),
        ("NOMAD_ADDR_my_db", "10.0.0.1:20002"),
        ("NOMAD_ALLOC_PORT_my_db", "5432"),
        ("NOMAD_META_level", "task"),
        ("NOMAD_META_LEVEL", "task"),
        ("NOMAD_META_only", "group"),
        ("NOMAD_META_a_b", "n1"),
        ("OWN", "/a/x/app/local/x"),
    ] {
        assert_eq!(environment.variables.get(name).map(String::as_str), Some(want), "{name}");
    }
}

#[test]
fn later_sources_win_and_the_agents_secrets_stay_out() {
    let host = [("PATH", "/bin"), ("A", "host"), ("VAULT_TOKEN", "s.x"), ("NOMAD_TOKEN", "t"), ("SECRET_KEY", "k"), ("B", "host")];
    let environment = environment(&[("A", "task"), ("C", "task")], &host, &[("C", "template")]);
    let get = |name: &str| environment.variables.get(name).map(String::as_str);
    assert_eq!([get("PATH"), get("A"), get("B"), get("C")], [Some("/bin"), Some("task"), Some("host"), Some("template")]);
    assert_eq!([get("VAULT_TOKEN"), get("NOMAD_TOKEN"), get("SECRET_KEY")], [None; 3]);
}

#[test]
fn interpolation() {
    let environment = environment(&[("OWN", "mine")], &[], &[]);
    for (text, want) in [
        ("plain", "plain"),
        ("${node.unique.name}-${node.datacenter}-${node.region}-${node.pool}", "n1-dc1-global-default"),
        ("${attr.kernel.name}/${attr.nope}/${meta.rack}", "linux//r7"),
        ("${NOMAD_PORT_http}:${NOMAD_PORT_my-db}:${NOMAD_NOPE}", "20001:5432:"),
        ("${env[\"OWN\"]} ${env.OWN} ${OWN}", "mine mine mine"),
        ("for i in 1; do echo ${i}; done", "for i in 1; do echo ${i}; done"),
        ("open ${attr.kernel.name", "open ${attr.kernel.name"),
        ("$HOME {x} $${", "$HOME {x} $${"),
    ] {
        assert_eq!(environment.interpolate(text), want, "{text}");
    }
    let value: Value = serde_json::from_str(r#"{"a": ["${meta.rack}", 1, {"${OWN}": true}]}"#).unwrap();
    assert_eq!(environment.interpolate_value(&value).to_string(), r#"{"a":["r7",1,{"mine":true}]}"#);
}

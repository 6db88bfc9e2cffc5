use std::time::Duration;

use super::*;

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::from_text(text, "agent.hcl", false)
}

const BASE: &str = "data_dir = \"/d\"\nclient {\n  enabled = true\n}\n";

#[test]
fn a_file_sets_what_it_says_and_keeps_the_other_defaults() {
    let config = read(
        r#"
# one machine of three
name = "srv1" // comment
data_dir = "/var/lib/x"
bind_addr = "127.0.0.1"
log_level = "warn"
/* block
   comment */
ports { http = 1646  rpc = 1647
  serf = 1648 }
"advertise" = {}
advertise { rpc = "10.0.0.7" serf = "10.0.0.7:9" }
limits { http_max_conns_per_client = 0 }
server {
  enabled = true
  bootstrap_expect = 3
  encrypt = "AAAAAAAAAAAAAAAAAAAAAA=="
  heartbeat_grace = "3s"
  min_heartbeat_ttl = "1m30s"
  job_max_source_size = "2M"
  server_join { retry_join = ["a:1", "b:2",] retry_interval = "1s" }
  default_scheduler_config { scheduler_algorithm = "spread" preemption_config { batch_scheduler_enabled = true } }
}
client {
  enabled = true
  servers = "10.0.0.1:4647"
  options = { "fingerprint.denylist" = "env_aws,consul"  driver.allowlist = "raw_exec" }
  meta { rack = "r1" }
  meta { "zone" = 7 }
  host_volume "data" { path = "/srv" read_only = true }
  reserved { cpu = 100 memory = 256 reserved_ports = "22,80" }
  template { wait { min = "1s" max = "2s" } }
}
plugin "raw_exec" {
  config {
    enabled = true
    denied = ["a", 2]
  }
}
vault {
  enabled = true
  address = "http://127.0.0.1:8200"
  default_identity { aud = ["vault.io"] ttl = "1h" }
}
telemetry { prometheus_metrics = true }
"#,
    )
    .unwrap();
    assert_eq!((config.name.as_str(), config.log.level), ("srv1", LogLevel::Warn));
    assert_eq!(config.ports, Ports { http: 1646, rpc: 1647, serf: 1648 });
    assert_eq!(config.advertise.http.as_deref(), Some("127.0.0.1:1646"));
    assert_eq!(config.advertise.rpc.as_deref(), Some("10.0.0.7:1647"));
    assert_eq!(config.advertise.serf.as_deref(), Some("10.0.0.7:9"));
    assert_eq!(config.limits.http_max_conns_per_client, 0);
    let server = &config.server;
    assert_eq!((server.bootstrap_expect, server.job_max_source_size, server.node_gc_threshold.as_secs()), (3, 2 << 20, 86_400));
    assert_eq!((server.heartbeat_grace, server.min_heartbeat_ttl), (Duration::from_secs(3), Duration::from_secs(90)));
    assert_eq!(
        (server.join.addresses.as_slice(), server.join.retry_interval.as_secs()),
        (["a:1".to_owned(), "b:2".to_owned()].as_slice(), 1)
    );
    assert_eq!(format!("{:?}", server.encrypt), "Some(GossipKey(128 bits))", "it is shown to nobody");
    assert!(server.scheduler.given && server.scheduler.spread && server.scheduler.preempt_batch);
    let client = &config.client;
    assert_eq!(client.servers, ["10.0.0.1:4647"]);
    assert_eq!(client.options["fingerprint.denylist"], "env_aws,consul");
    assert_eq!(client.options["driver.allowlist"], "raw_exec");
    assert_eq!((client.meta["rack"].as_str(), client.meta["zone"].as_str()), ("r1", "7"));
    assert!(client.host_volumes["data"].read_only);
    assert_eq!((client.reserved.cpu_mhz, client.reserved.ports.as_str()), (100, "22,80"));
    assert_eq!(client.template.wait_max, Some(Duration::from_secs(2)));
    assert_eq!(serde_json::to_string(&config.plugins["raw_exec"]).unwrap(), r#"{"enabled":true,"denied":["a",2]}"#);
    let identity = config.vault.default.default_identity.as_ref().unwrap();
    assert_eq!((identity.audience.as_slice(), identity.ttl.as_secs()), (["vault.io".to_owned()].as_slice(), 3600));
    assert!(!config.consul.default.embedded && !config.vault.default.embedded);
}

#[test]
fn json_reads_like_hcl() {
    let config = read(
        r#"{"data_dir": "/d", "client": {"enabled": true, "meta": {"a": "b"}, "host_volume": [{"v": {"path": "/p"}}]},
            "plugin": {"raw_exec": {"config": {"enabled": true}}}, "name": null}"#,
    )
    .unwrap();
    assert_eq!((config.client.meta["a"].as_str(), config.client.host_volumes["v"].read_only), ("b", false));
    assert_eq!(config.plugins["raw_exec"]["enabled"], true);
}

#[test]
fn heredocs_keep_their_lines_and_lose_shared_indentation() {
    let text =
        format!("{BASE}client {{\n  meta {{\n    note = <<-EOT\n      one\n        two\n    EOT\n    plain = <<END\n  x\nEND\n  }}\n}}");
    let config = read(&text).unwrap();
    assert_eq!(config.client.meta["note"], "one\n  two\n");
    assert_eq!(config.client.meta["plain"], "  x\n");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, want) in [
        ("zzz = \"x\"", "agent.hcl:5: unexpected key \"zzz\""),
        ("data_dri = \"x\"", "agent.hcl:5: unexpected key \"data_dri\" (did you mean \"data_dir\"?)"),
        ("client {\n  foo = 1\n}", "agent.hcl:6: client unexpected key \"foo\""),
        ("client {\n  template {\n    wiat {}\n  }\n}", "agent.hcl:7: client.template unexpected key \"wiat\" (did you mean \"wait\"?)"),
        ("server {\n  enabled = \"maybe\"\n}", "agent.hcl:6: server.enabled: must be true or false, not \"maybe\""),
        ("ports {\n  http = 70000\n}", "agent.hcl:6: ports.http: must be a whole number in range, not 70000"),
        (
            "server {\n  heartbeat_grace = \"3 parsecs\"\n}",
            "agent.hcl:6: server.heartbeat_grace: must be a duration such as \"30s\", not \"3 parsecs\"",
        ),
        ("name = [\"a\"]", "agent.hcl:5: name: must be a string, not a list"),
        ("ports = 5", "agent.hcl:5: ports: must be a block, not 5"),
        ("plugin {\n  enabled = true\n}", "agent.hcl:6: plugin: needs a name: plugin \"NAME\" { ... }"),
        ("name = \"x", "agent.hcl:5: string is not closed: `\"` is missing"),
        ("name = x", "agent.hcl:5: expected a value, found the word x: put text in quotes"),
        ("server {", "agent.hcl:5: the file ends inside a block: `}` is missing"),
        ("name \"x\"", "agent.hcl:5: the file ends after the label \"x\""),
        ("name = <<EOT\nfoo", "agent.hcl:5: the text that begins with <<EOT is not closed: no line holds EOT alone"),
        ("= 5", "agent.hcl:5: expected a key, found `=`"),
        ("name = 5m", "agent.hcl:5: \"5m\" is no number: put text in quotes"),
        ("servers = [1 2]", "agent.hcl:5: expected `,` or `]` in a list"),
        ("/* x", "agent.hcl:5: comment is not closed: `*/` is missing"),
        ("name = \"\\q\"", "agent.hcl:5: unknown escape `\\q` in a string"),
        (
            "acl { enabled = true }",
            "acl.enabled: access control lists are not supported yet; an agent that ignored it would be less safe than it looks",
        ),
        ("tls { http = true }", "tls: give ca_file, cert_file and key_file"),
        ("log_level = \"loud\"", "log_level: unknown level \"loud\": use one of TRACE, DEBUG, INFO, WARN, ERROR"),
        ("consul { name = \"a b\" }", "consul \"a b\": the name of a cluster has only letters, digits, `-` and `_`"),
        (
            "telemetry {\n  statsd_address = \"x\"\n}",
            "agent.hcl:6: telemetry.statsd_address: pushing metrics is not supported; let Prometheus read /v1/metrics?format=prometheus",
        ),
        (
            "bind_addr = \"{{ GetPrivateIP }}\"",
            "bind_addr: \"{{ GetPrivateIP }}\": address templates are not supported; write the address itself",
        ),
    ] {
        let error = read(&format!("{BASE}{text}")).unwrap_err().to_string();
        assert_eq!(error, want, "{text}");
    }
    let deep = format!("{BASE}{}", "a { ".repeat(100));
    assert!(read(&deep).unwrap_err().to_string().contains("nested more than 32 deep"));
    let lists = format!("{BASE}a = {}", "[".repeat(100_000));
    assert!(read(&lists).unwrap_err().to_string().contains("nested more than 32 deep"));
}

#[test]
fn what_is_missing_is_said() {
    for (text, want) in [
        ("data_dir = \"/d\"", "Must specify either server, client or dev mode for the agent."),
        ("client { enabled = true }", "Must specify \"data_dir\" config option or \"data-dir\" CLI flag"),
        ("data_dir = \"d\"\nclient { enabled = true }", "data_dir must be given as an absolute path"),
        (
            "data_dir = \"/d\"\nserver { enabled = true }",
            "server: give bootstrap_expect (how many servers the cluster begins with), or retry_join to join one",
        ),
    ] {
        assert_eq!(read(text).unwrap_err().to_string(), want);
    }
}

#[test]
fn dev_mode_embeds_its_neighbours_unless_somebody_names_them() {
    let none = |_: &str| None;
    let load = |environment: Environment<'_>, text: &str| {
        let mut config = Config::defaults(true);
        integrations::from_environment(&mut config, environment);
        files::apply_text(text, "agent.hcl", &mut config).unwrap();
        resolve::resolve(&mut config).unwrap();
        (config.consul.default.embedded, config.vault.default.embedded)
    };
    let set = |name: &str| (name == "CONSUL_HTTP_ADDR" || name == "VAULT_ADDR").then(|| "http://127.0.0.1:1".to_owned());
    assert_eq!(load(&none, ""), (true, true));
    assert_eq!(load(&set, ""), (false, false));
    assert_eq!(load(&none, "consul { address = \"127.0.0.1:1\" }"), (false, true));
    assert_eq!(load(&set, "consul { embedded = true }\nvault { embedded = true }"), (true, true));
}

#[test]
fn later_files_and_flags_win() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("b.hcl", "name = \"second\"\nclient { meta { k = \"b\" } }");
    write("a.hcl", "name = \"first\"\nregion = \"east\"\nclient { meta { k = \"a\" l = \"a\" } }");
    write("ignored.txt", "nonsense");
    let flags = AgentFlags {
        config: vec![dir.path().to_owned()],
        dev: true,
        log_level: Some("error".to_owned()),
        meta: vec!["m=flag".to_owned()],
        ..AgentFlags::default()
    };
    let config = Config::load(&flags, &|_| None).unwrap();
    assert_eq!((config.name.as_str(), config.region.as_str(), config.log.level), ("second", "east", LogLevel::Error));
    let meta: Vec<_> = config.client.meta.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(meta, ["k=b", "l=a", "m=flag"]);
    assert_eq!(config.files.len(), 2);
    let missing = AgentFlags { config: vec![dir.path().join("none.hcl")], dev: true, ..AgentFlags::default() };
    assert!(Config::load(&missing, &|_| None).unwrap_err().to_string().starts_with("cannot read "));
}

#[test]
fn clusters_have_names_and_the_default_one_has_none_to_give() {
    let text = format!(
        "{BASE}consul {{\n  address = \"a:1\"\n}}\nconsul {{\n  name = \"east\"\n  address = \"b:2\"\n  namespace = \"team\"\n}}\nconsul {{\n  name = \"east\"\n  \
         ssl = true\n}}\nvault {{\n  name = \"hsm\"\n  enabled = true\n  address = \"http://v:1\"\n}}\n"
    );
    let config = read(&text).unwrap();
    let consuls: Vec<_> = config.consul.all().map(|(name, consul)| (name, consul.address.as_str(), consul.ssl)).collect();
    assert_eq!(consuls, [("default", "a:1", false), ("east", "b:2", true)]);
    assert_eq!(config.consul.named["east"].namespace, "team");
    assert_eq!((config.vault.default.enabled, config.vault.named["hsm"].enabled), (None, Some(true)));
    for (wrong, told) in [
        ("consul {\n  name = \"a.b\"\n}", "only letters, digits"),
        ("consul {\n  name = \"east\"\n  embedded = true\n}", "only the default cluster can be embedded"),
    ] {
        let error = read(&format!("{BASE}{wrong}\n")).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

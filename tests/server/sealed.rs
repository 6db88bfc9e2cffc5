//! Three servers that seal everything between them, and change what they seal with while they run.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
};

use nix::sys::signal::Signal;

use crate::support::{Agent, wait};

/// Ports that were free a moment ago.
fn free_ports() -> [u16; 6] {
    let listeners: Vec<TcpListener> = (0..6).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    std::array::from_fn(|index| listeners[index].local_addr().unwrap().port())
}

/// A new authority and a server's certificate of it, in the place of those that were there.
fn make_certificates(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir(folder).unwrap();
    for words in [&["tls", "ca", "create"][..], &["tls", "cert", "create", "-server", "-region", "global"]] {
        let made = Agent::binary().args(words).current_dir(folder).output().unwrap();
        assert!(made.status.success(), "{words:?}: {made:?}");
    }
}

fn settings(number: usize, ports: [u16; 6], certificates: &Path, key: &str) -> String {
    let file = |name: &str| certificates.join(name).display().to_string();
    // The others are told of the first one alone.
    format!(
        r#"name = "s{number}"
ports {{
  http = 0
  rpc  = {}
  serf = {}
}}
server {{
  enabled          = true
  bootstrap_expect = 3
  encrypt          = "{key}"
  server_join {{
    retry_join     = ["127.0.0.1:{}"]
    retry_interval = "1s"
  }}
}}
tls {{
  rpc       = true
  ca_file   = "{}"
  cert_file = "{}"
  key_file  = "{}"
}}
"#,
        ports[number * 2],
        ports[number * 2 + 1],
        ports[1],
        file("nomad-agent-ca.pem"),
        file("global-server-nomad.pem"),
        file("global-server-nomad-key.pem"),
    )
}

async fn writes(agent: &Agent, name: &str) {
    wait(&format!("{name} written"), async || agent.write(name).await.is_some_and(|(status, _)| status == 200).then_some(())).await;
}

/// What a command prints, which must work.
fn printed(agent: &Agent, words: &[&str]) -> String {
    let done = agent.ask(words);
    assert!(done.status.success(), "{words:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn certificates_and_keys_are_changed_without_stopping_anything() {
    let folder = tempfile::tempdir().unwrap();
    let (ports, certificates) = (free_ports(), folder.path().join("certificates"));
    make_certificates(&certificates);
    let generate =
        || String::from_utf8(Agent::binary().args(["operator", "gossip", "keyring", "generate"]).output().unwrap().stdout).unwrap();
    let (old, new) = (generate().trim().to_owned(), generate().trim().to_owned());
    let own = |number: usize| -> PathBuf { folder.path().join(format!("s{number}")) };
    let start = async |number: usize| {
        std::fs::create_dir_all(own(number)).unwrap();
        Agent::start_with(&own(number), Agent::binary(), &settings(number, ports, &certificates, &old)).await
    };
    let [first, second, mut third] = [start(0).await, start(1).await, start(2).await];
    writes(&second, "before").await;

    let keyring = |words: &[&str]| printed(&first, &[&["operator", "gossip", "keyring"], words].concat());
    assert_eq!(keyring(&["install", &new]), "Installed the key on 3 servers");
    assert_eq!(keyring(&["use", &new]), "Changed the primary key on 3 servers");
    assert!(!first.ask(&["operator", "gossip", "keyring", "remove", &new]).status.success(), "it is the one in use");
    keyring(&["remove", &old]);
    let listed = printed(&second, &["operator", "gossip", "keyring", "list"]);
    assert!(listed.contains(&new) && listed.contains("3/3") && !listed.contains(&old), "{listed}");

    // Another authority altogether: whoever has not read the files anew cannot speak to who has.
    make_certificates(&certificates);
    for agent in [&first, &second] {
        agent.signal(Signal::SIGHUP);
        agent.says("configuration reloaded").await;
    }
    writes(&first, "in-between").await;
    third.kill();
    drop(third);
    let third = start(2).await;
    writes(&third, "after").await;
    for agent in [&first, &second, &third] {
        let members = async || agent.ask(&["server", "members"]).stdout;
        wait("three that are alive", async || (String::from_utf8_lossy(&members().await).matches("alive").count() == 3).then_some(()))
            .await;
        let found = agent.reads("").await;
        assert!(["before", "in-between", "after"].iter().all(|name| found.contains(&format!("\"{name}\""))), "{found}");
    }
}

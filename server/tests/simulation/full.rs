//! Disks that are full.

use std::{path::Path, time::Duration};

use drover_model::rpc::embedded::KvPut;
use drover_runtime::{Disk, rpc::Header};

use crate::support::{Cluster, PATIENCE, SERVERS, dial, put, put_value};

fn fill(cluster: &Cluster, name: &str) {
    let disk = &cluster.seats[name].disk;
    disk.set_capacity(Some(disk.used()));
}

fn all_but(name: &str) -> [&'static str; 2] {
    let others: Vec<_> = SERVERS.into_iter().filter(|other| *other != name).collect();
    [others[0], others[1]]
}

/// Writes until it works, through one server.
fn write(cluster: &mut Cluster, through: &'static str, as_client: &'static str, key: &'static str) {
    cluster.simulation.client(as_client, async move { Ok(put(&dial(through).await, key.to_owned()).await?) });
}

fn has(cluster: &Cluster, name: &str, key: &str) -> bool {
    cluster.keys(name).iter().any(|known| known == key)
}

#[test]
fn a_leader_whose_disk_is_nearly_full_hands_over() {
    let mut cluster = Cluster::of_three(31);
    let leader = cluster.wait_for_leader();
    write(&mut cluster, leader, "writer-1", "before");
    cluster.until("the key is there", |cluster| has(cluster, leader, "before"));
    cluster.run_for(Duration::from_secs(5));
    // Less than what is to be kept, and enough to go on as a follower.
    let disk = &cluster.seats[leader].disk;
    disk.write_atomic(Path::new("/server/others"), &[0; 20 << 20]).unwrap();
    disk.set_capacity(Some(disk.used() + (1 << 20)));
    let others = all_but(leader);
    cluster.until("another leads", |cluster| others.iter().any(|name| cluster.server(name).is_leader()));
    write(&mut cluster, leader, "writer-2", "after");
    cluster.until("writes go on, through the old one too", |cluster| SERVERS.iter().all(|name| has(cluster, name, "after")));
    assert!(!cluster.server(leader).is_leader());
    cluster.seats[leader].disk.set_capacity(None);
    cluster.until("it has room", |cluster| !cluster.server(leader).consensus().is_short_of_room());
}

#[test]
fn a_leader_whose_disk_is_full_all_at_once_is_replaced_and_comes_back() {
    let mut cluster = Cluster::of_three(32);
    let leader = cluster.wait_for_leader();
    cluster.run_for(Duration::from_secs(5));
    fill(&cluster, leader);
    let others = all_but(leader);
    // More than the log's file has zeros for.
    let value = vec![1; 16 << 10];
    cluster.simulation.client("writer-1", async move { Ok(put_value(&dial(leader).await, "without it".to_owned(), value).await?) });
    cluster.until("the others write", |cluster| others.iter().all(|name| has(cluster, name, "without it")));
    assert!(!has(&cluster, leader, "without it"));
    cluster.run_for(Duration::from_secs(30));
    assert!(cluster.server(leader).consensus().status().failure.is_none());
    cluster.seats[leader].disk.set_capacity(None);
    cluster.until("it has caught up without a restart", |cluster| has(cluster, leader, "without it"));
}

#[test]
fn a_majority_of_full_disks_refuses_writes_and_forgets_nothing() {
    let mut cluster = Cluster::of_three(33);
    let leader = cluster.wait_for_leader();
    write(&mut cluster, leader, "writer-1", "before");
    cluster.until("the key is everywhere", |cluster| SERVERS.iter().all(|name| has(cluster, name, "before")));
    cluster.run_for(Duration::from_secs(5));
    let others = all_but(leader);
    others.iter().for_each(|name| fill(&cluster, name));
    cluster.run_for(Duration::from_secs(5));
    cluster.simulation.client("refused", async move {
        let connection = dial(leader).await;
        let message = KvPut { key: "refused".into(), value: vec![1], flags: 0, check: None };
        let error = connection.call(&Header::default(), &message, PATIENCE).await.unwrap_err();
        assert!(error.message.starts_with("disk full: on 2 of the 3 servers"), "{error}");
        Ok(())
    });
    cluster.run_for(Duration::from_secs(30));
    others.iter().for_each(|name| cluster.seats[name].disk.set_capacity(None));
    write(&mut cluster, leader, "writer-2", "after");
    cluster.until("all goes on", |cluster| SERVERS.iter().all(|name| has(cluster, name, "before") && has(cluster, name, "after")));
    assert!(SERVERS.iter().all(|name| !has(&cluster, name, "refused")));
}

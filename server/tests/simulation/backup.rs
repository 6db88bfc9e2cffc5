//! The state out of a cluster and back into it.

use std::{path::Path, time::Duration};

use drover_model::rpc::{
    Error,
    snapshot::{SnapshotRestore, SnapshotSave},
};
use drover_runtime::{
    Disk,
    rpc::{Connection, Header},
};
use drover_server::{ScheduledSnapshots, ServerConfig, backup, identity::Algorithm};

use crate::support::{Cluster, PATIENCE, SERVERS, dial, put};

async fn save(connection: &Connection) -> Result<Vec<u8>, Error> {
    let mut pieces = connection.subscribe(&Header::default(), &SnapshotSave { stale: false }).await?;
    let mut file = Vec::new();
    while let Some(piece) = pieces.next().await {
        file.extend(piece?.data);
    }
    Ok(file)
}

async fn restore(connection: &Connection, file: &[u8]) -> Result<u64, Error> {
    let half = file.len() / 2;
    let piece = |offset: usize, data: &[u8], is_last| SnapshotRestore { id: 1, offset: offset as u64, data: data.to_vec(), is_last };
    assert_eq!(connection.call(&Header::default(), &piece(0, &file[..half], false), PATIENCE).await?, None);
    let written = connection.call(&Header::default(), &piece(half, &file[half..], true), PATIENCE).await?;
    Ok(written.unwrap().index)
}

#[test]
fn a_restored_snapshot_is_on_all_servers_and_the_cluster_goes_on() {
    let mut cluster = Cluster::of_three(31);
    cluster.wait_for_leader();
    cluster.simulation.client("operator", async {
        let connection = dial("a").await;
        put(&connection, "before".into()).await?;
        let file = save(&connection).await?;
        assert_eq!(backup::inspect(&file).unwrap().meta.region, "global");
        put(&connection, "after".into()).await?;
        let mut damaged = file.clone();
        damaged[file.len() / 2] ^= 1;
        assert_eq!(restore(&connection, &damaged).await.unwrap_err().status, 400, "a damaged file changes nothing");
        restore(&connection, &file).await?;
        put(&connection, "later".into()).await?;
        Ok(())
    });
    let wanted = ["before", "later"];
    cluster.until("all have what was restored, and what came later", |cluster| SERVERS.iter().all(|name| cluster.keys(name) == wanted));
    let index = cluster.server("a").store().snapshot().index();
    // One that missed all of it gets it too.
    cluster.crash("b");
    cluster.simulation.bounce("b");
    cluster.until("the one that crashed has it", |cluster| cluster.seats["b"].get().is_some() && cluster.keys("b") == wanted);
    assert!(cluster.server("b").store().snapshot().index() >= index, "no index goes back");
}

#[test]
fn the_leader_writes_snapshots_and_keeps_the_newest() {
    let mut cluster = Cluster::new(32);
    let folder = "/snapshots";
    let snapshots = ScheduledSnapshots { folder: folder.into(), interval: Duration::from_secs(60), retain: 2 };
    let config = ServerConfig {
        node_name: "a".into(),
        rpc_address: "0.0.0.0:4647".into(),
        rpc_advertise: Some("a:4647".into()),
        signing: Algorithm::EdDsa,
        snapshots: Some(snapshots),
        ..ServerConfig::default()
    };
    cluster.add_with("a", config);
    cluster.wait_for_leader();
    cluster.run_for(Duration::from_secs(310));
    let disk = &cluster.seats["a"].disk;
    let files = disk.list(Path::new(folder)).unwrap();
    assert_eq!(files.len(), 2, "{files:?}");
    backup::inspect(&disk.read(&files[1], 1 << 20).unwrap()).unwrap();
}

#[test]
fn a_server_goes_on_alone_when_its_operator_says_so() {
    let mut cluster = Cluster::of_three(33);
    let leader = cluster.wait_for_leader();
    cluster.simulation.client("writer", async { Ok(put(&dial("a").await, "before".into()).await?) });
    cluster.until("all have it", |cluster| SERVERS.iter().all(|name| cluster.keys(name) == ["before"]));
    let left = SERVERS.into_iter().find(|name| *name != leader).unwrap();
    let id = cluster.server(left).consensus().status().id;
    for name in SERVERS {
        cluster.crash(name);
    }
    let peers = format!(
        r#"[{{"id": "{:08x}-{:04x}-{:04x}-0000-000000000000", "address": "{left}:4647"}}]"#,
        id >> 32,
        (id >> 16) & 0xffff,
        id & 0xffff
    );
    let path = Path::new("/server/peers.json");
    cluster.seats[left].disk.write_atomic(path, peers.as_bytes()).unwrap();
    cluster.simulation.bounce(left);
    cluster.until("it leads", |cluster| cluster.leader() == Some(left));
    assert_eq!(cluster.keys(left), ["before"]);
    assert!(cluster.seats[left].disk.read(path, 100).is_err(), "it is done once");
    // Another one comes back with an empty disk.
    let other = SERVERS.into_iter().find(|name| *name != left).unwrap();
    cluster.seats[other].disk.wipe();
    cluster.simulation.bounce(other);
    cluster.until("the other has it too", |cluster| cluster.keys(other) == ["before"]);
}

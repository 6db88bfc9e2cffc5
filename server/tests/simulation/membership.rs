//! Servers that come, go, and come back.

use std::time::Duration;

use drover_model::rpc::{
    Error, ReadOptions,
    node::KvGet,
    operator::{LeadershipTransfer, RaftPeerRemove, WhichServer},
    status::MemberList,
};
use drover_runtime::rpc::Header;

use crate::support::{Cluster, PATIENCE, SERVERS, dial, put};

fn voters(cluster: &Cluster, seen_by: &str) -> Vec<String> {
    let Some(server) = cluster.seats[seen_by].get() else { return Vec::new() };
    let mut names: Vec<String> =
        server.consensus().peers().into_iter().filter(|peer| peer.voter).map(|peer| peer.address.replace(":4647", "")).collect();
    names.sort();
    names
}

fn all_but(name: &str) -> [&'static str; 2] {
    let others: Vec<_> = SERVERS.into_iter().filter(|other| *other != name).collect();
    [others[0], others[1]]
}

fn write(cluster: &mut Cluster, through: &'static str, as_client: &'static str, key: &'static str) {
    cluster.simulation.client(as_client, async move { Ok(put(&dial(through).await, key.to_owned()).await?) });
    let everywhere =
        |cluster: &Cluster| cluster.seats.iter().all(|(name, seat)| seat.get().is_none() || cluster.keys(name).contains(&key.to_owned()));
    cluster.until("the key is everywhere", everywhere);
}

#[test]
fn a_server_joins_a_running_cluster_and_gets_a_vote() {
    let mut cluster = Cluster::of_three(21);
    cluster.wait_for_leader();
    write(&mut cluster, "a", "writer-1", "before");
    cluster.add("d", 0, &["b"]);
    cluster.until("it votes", |cluster| voters(cluster, "a") == ["a", "b", "c", "d"]);
    write(&mut cluster, "d", "writer-2", "after");
    let names: Vec<String> = cluster.server("a").consensus().peers().into_iter().map(|peer| peer.name).collect();
    assert!(names.contains(&"d".to_owned()), "{names:?}");
}

#[test]
fn a_server_that_lost_its_disk_takes_its_old_place() {
    let mut cluster = Cluster::of_three(22);
    let leader = cluster.wait_for_leader();
    write(&mut cluster, "a", "writer-1", "before");
    let lost = all_but(leader)[0];
    cluster.simulation.crash(lost);
    let disk = &cluster.seats[lost].disk;
    disk.crash();
    disk.wipe();
    cluster.simulation.bounce(lost);
    let whole = |cluster: &Cluster| voters(cluster, leader) == SERVERS && cluster.keys(lost) == cluster.keys(leader);
    cluster.until("it votes again, as another server", whole);
    assert_eq!(cluster.server(leader).consensus().peers().len(), 3, "its predecessor is gone");
}

#[test]
fn a_leader_that_leaves_hands_over_and_does_not_come_back_unasked() {
    let mut cluster = Cluster::of_three(23);
    let leader = cluster.wait_for_leader();
    let others = all_but(leader);
    let leaving = cluster.server(leader);
    cluster.simulation.client("operator", async move {
        leaving.leave().await?;
        Ok(())
    });
    cluster.until("it has left", |cluster| voters(cluster, others[0]) == others && voters(cluster, others[1]) == others);
    assert_ne!(cluster.wait_for_leader(), leader);
    cluster.crash(leader);
    write(&mut cluster, others[0], "writer-1", "without it");
    cluster.simulation.bounce(leader);
    // It was told whom to join, so it asks them, and they take it in.
    cluster.until("it is back", |cluster| voters(cluster, others[0]) == SERVERS);
}

#[test]
fn another_server_leads_when_it_is_told_to() {
    let mut cluster = Cluster::of_three(24);
    let leader = cluster.wait_for_leader();
    let to = all_but(leader)[1];
    let address = format!("{to}:4647");
    cluster.simulation.client("operator", async move {
        let message = LeadershipTransfer { server: Some(WhichServer::Address(address.clone())) };
        let done = dial(to).await.call(&Header::default(), &message, PATIENCE).await?;
        assert_eq!((done.to.address, done.noop), (address, false));
        Ok(())
    });
    cluster.until("the other leads", |cluster| cluster.server(to).is_leader());
    write(&mut cluster, leader, "writer-1", "after");
}

#[test]
fn a_server_that_was_taken_out_joins_again_by_itself() {
    let mut cluster = Cluster::of_three(25);
    let leader = cluster.wait_for_leader();
    let [away, other] = all_but(leader);
    cluster.crash(away);
    let address = format!("{away}:4647");
    cluster.simulation.client("operator", async move {
        let unknown = RaftPeerRemove { server: WhichServer::Id("nope".into()) };
        let error = dial(other).await.call(&Header::default(), &unknown, PATIENCE).await.unwrap_err();
        assert_eq!(error.message, "id \"nope\" was not found in the Raft configuration");
        let message = RaftPeerRemove { server: WhichServer::Address(address) };
        dial(other).await.call(&Header::default(), &message, PATIENCE).await?;
        Ok(())
    });
    cluster.until("two are left", |cluster| voters(cluster, other).len() == 2);
    cluster.simulation.bounce(away);
    cluster.until("there are three again", |cluster| voters(cluster, other) == SERVERS && voters(cluster, away) == SERVERS);
}

#[test]
fn a_server_that_died_is_taken_out_and_shown_as_failed_until_then() {
    let mut cluster = Cluster::of_three(26);
    let leader = cluster.wait_for_leader();
    let [dead, other] = all_but(leader);
    cluster.crash(dead);
    cluster.run_for(Duration::from_secs(10));
    cluster.simulation.client("operator", async move {
        let members = dial(other).await.call(&Header::default(), &MemberList {}, PATIENCE).await?;
        let failed: Vec<_> = members.into_iter().filter(|member| member.status == "failed").map(|member| member.name).collect();
        assert_eq!(failed, [format!("{dead}.global")]);
        Ok(())
    });
    assert_eq!(voters(&cluster, other).len(), 3, "it may only be away for a moment");
    cluster.until("it is taken out", |cluster| voters(cluster, other).len() == 2);
}

#[test]
fn a_leader_that_is_cut_off_does_not_answer_for_the_others() {
    let mut cluster = Cluster::of_three(27);
    let leader = cluster.wait_for_leader();
    let others = all_but(leader);
    write(&mut cluster, leader, "writer-1", "key");
    for other in others {
        cluster.simulation.partition(leader, other);
    }
    // Somebody who can still reach it.
    cluster.simulation.client("reader", async move {
        let connection = dial(leader).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let key = "key".to_owned();
        let read = |options| KvGet { options, key: key.clone() };
        let newest = connection.call(&Header::default(), &read(ReadOptions::default()), PATIENCE).await;
        assert!(newest.is_err_and(|error: Error| error.is_unavailable()), "it cannot know what the newest is");
        let stale = connection.call(&Header::default(), &read(ReadOptions { stale: true, ..ReadOptions::default() }), PATIENCE).await?;
        assert!(stale.data.is_some() && !stale.meta.known_leader);
        Ok(())
    });
    cluster.until("others have elected another", |cluster| others.iter().any(|name| cluster.server(name).is_leader()));
    cluster.until("it knows", |cluster| !cluster.server(leader).is_leader());
    cluster.run_for(Duration::from_secs(20));
    for other in others {
        cluster.simulation.repair(leader, other);
    }
    write(&mut cluster, others[0], "writer-2", "after");
}

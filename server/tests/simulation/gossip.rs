//! Servers that hear of each other: who joins one finds all, whom one does not reach is not gone, and whoever has no key stays outside.

use std::time::Duration;

use drover_model::{
    rpc::{
        Error,
        gossip::{GossipKeyring, KeyOperation, KeyringReport},
        status::{MemberList, ServerJoin},
    },
    secret::SecretText,
};
use drover_runtime::rpc::{Caller, Handle, Header};
use drover_server::{Server, ServerConfig};

use crate::support::{Cluster, PATIENCE, SERVERS, config, dial, gossip, put};

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const OTHER_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQ==";

fn sealed(name: &'static str, expect: u32, join: &[&str], key: &str) -> ServerConfig {
    ServerConfig { gossip: Some(gossip(name, Some(key))), ..config(name, expect, join) }
}

fn of_three_with_key(seed: u64) -> Cluster {
    let mut cluster = Cluster::new(seed);
    for name in SERVERS {
        cluster.add_with(name, sealed(name, 3, &SERVERS, KEY));
    }
    cluster
}

fn votes(cluster: &Cluster, seen_by: &str) -> usize {
    cluster.seats[seen_by].get().map_or(0, |server| server.consensus().peers().iter().filter(|peer| peer.voter).count())
}

/// Asks a server as its own agent does.
async fn keyring(server: &Server, operation: KeyOperation, key: &str) -> Result<KeyringReport, Error> {
    server.handle(Caller::default(), GossipKeyring { operation, key: SecretText::new(key) }).await
}

#[test]
fn servers_that_know_one_find_all() {
    let mut cluster = Cluster::new(41);
    cluster.add("a", 3, &[]);
    cluster.add("b", 3, &["a"]);
    cluster.add("c", 3, &["a"]);
    cluster.wait_for_leader();
    cluster.until("all three vote", |cluster| SERVERS.iter().all(|name| votes(cluster, name) == 3));
}

#[test]
fn a_server_that_one_other_does_not_reach_is_not_gone() {
    let mut cluster = Cluster::of_three(42);
    let leader = cluster.wait_for_leader();
    cluster.run_for(Duration::from_secs(5));
    let followers: Vec<_> = SERVERS.into_iter().filter(|name| *name != leader).collect();
    let (one, other) = (followers[0], followers[1]);
    cluster.simulation.partition(one, other);
    cluster.run_for(Duration::from_secs(30));
    cluster.simulation.client("operator", async move {
        let members = dial(one).await.call(&Header::default(), &MemberList {}, PATIENCE).await?;
        let alive: Vec<_> = members.iter().filter(|member| member.status == "alive").map(|member| member.name.clone()).collect();
        assert_eq!(alive.len(), 3, "{one} is told of {other} by {leader}: {members:?}");
        Ok(())
    });
    cluster.run_for(Duration::from_secs(5));
    // A server that nobody reaches is.
    cluster.simulation.partition(leader, other);
    cluster.run_for(Duration::from_secs(15));
    cluster.simulation.client("operator-2", async move {
        let members = dial(one).await.call(&Header::default(), &MemberList {}, PATIENCE).await?;
        let failed: Vec<_> = members.iter().filter(|member| member.status == "failed").map(|member| member.name.clone()).collect();
        assert_eq!(failed, [format!("{other}.global")], "{members:?}");
        Ok(())
    });
    cluster.run_for(Duration::from_secs(2));
    for name in [leader, one] {
        cluster.simulation.repair(name, other);
    }
    let sees_all = |cluster: &Cluster| cluster.keys(other) == cluster.keys(leader) && votes(cluster, other) == 3;
    cluster.until("it is back", sees_all);
}

#[test]
fn who_has_another_key_or_none_stays_outside() {
    let mut cluster = of_three_with_key(43);
    cluster.wait_for_leader();
    cluster.add_with("d", sealed("d", 0, &["a"], OTHER_KEY));
    cluster.add("e", 0, &["b"]);
    cluster.run_for(Duration::from_secs(40));
    for name in SERVERS {
        assert_eq!(cluster.server(name).consensus().peers().len(), 3, "as {name} sees it");
    }
    cluster.simulation.client("operator", async move {
        for (outside, why) in
            [("d", "the server that asks has another gossip key"), ("e", "has a gossip key, and the one that asks has none")]
        {
            let join = ServerJoin { addresses: vec!["a:4647".to_owned()] };
            let joined = dial(outside).await.call(&Header::default(), &join, PATIENCE).await?;
            assert!(joined.num_joined == 0 && joined.error.contains(why), "{outside}: {}", joined.error);
        }
        Ok(())
    });
    cluster.run_for(Duration::from_secs(5));
    cluster.add_with("f", sealed("f", 0, &["c"], KEY));
    cluster.until("who has the key is taken in", |cluster| votes(cluster, "a") == 4);
}

#[test]
fn keys_are_rotated_while_servers_come_and_go() {
    let mut cluster = of_three_with_key(44);
    let leader = cluster.wait_for_leader();
    cluster.run_for(Duration::from_secs(5));
    let [a, b, c] = SERVERS.map(|name| cluster.server(name));
    cluster.simulation.client("operator", async move {
        let before = keyring(&a, KeyOperation::List, "").await?;
        assert_eq!((before.servers, before.keys.get(KEY), before.failure()), (3, Some(&3), None), "{before:?}");
        for operation in [KeyOperation::Install, KeyOperation::Use] {
            let done = keyring(&b, operation, OTHER_KEY).await?;
            assert_eq!((done.failure(), done.keys.get(OTHER_KEY)), (None, Some(&3)), "{operation:?}: {done:?}");
        }
        let refused = keyring(&c, KeyOperation::Remove, OTHER_KEY).await?;
        assert_eq!(refused.failure().as_deref(), Some("3/3 nodes reported failure"), "{refused:?}");
        let after = keyring(&c, KeyOperation::Remove, KEY).await?;
        assert_eq!((after.failure(), after.keys.len(), after.primary_keys.get(OTHER_KEY)), (None, 1, Some(&3)), "{after:?}");
        let message = GossipKeyring { operation: KeyOperation::List, key: SecretText::default() };
        let error = dial("a").await.call(&Header::default(), &message, PATIENCE).await.unwrap_err();
        assert_eq!(error.status, 403, "who is no server has no business with them: {error}");
        Ok(())
    });
    cluster.run_for(Duration::from_secs(5));
    // The key of its configuration is the old one; what it was changed to counts.
    let away = SERVERS.into_iter().find(|name| *name != leader).unwrap();
    cluster.crash(away);
    cluster.run_for(Duration::from_secs(10));
    cluster.simulation.bounce(away);
    cluster.simulation.client("writer", async move { Ok(put(&dial(leader).await, "after".to_owned()).await?) });
    cluster.until("it is back", |cluster| cluster.keys(away).contains(&"after".to_owned()));
    cluster.run_for(Duration::from_secs(10));
    cluster.simulation.client("operator-2", async move {
        let members = dial(leader).await.call(&Header::default(), &MemberList {}, PATIENCE).await?;
        assert!(members.len() == 3 && members.iter().all(|member| member.status == "alive"), "{members:?}");
        Ok(())
    });
    cluster.run_for(Duration::from_secs(2));
}

#[test]
fn two_clusters_with_one_key_stay_two() {
    let mut cluster = Cluster::new(45);
    for name in SERVERS {
        cluster.add_with(name, sealed(name, 3, &SERVERS, KEY));
    }
    const OTHERS: [&str; 3] = ["x", "y", "z"];
    for name in OTHERS {
        cluster.add_with(name, sealed(name, 1, &[], KEY));
    }
    let leads = |cluster: &Cluster, name: &str| cluster.seats[name].get().is_some_and(|server| server.is_leader());
    cluster.until("there are clusters", |cluster| {
        SERVERS.iter().any(|name| leads(cluster, name)) && OTHERS.iter().all(|name| leads(cluster, name))
    });
    cluster.run_for(Duration::from_secs(5));
    // Somebody mixes up the addresses.
    cluster.simulation.client("operator", async move {
        for (outside, address) in [("x", "a:4647"), ("a", "y:4647")] {
            let join = ServerJoin { addresses: vec![address.to_owned()] };
            let joined = dial(outside).await.call(&Header::default(), &join, PATIENCE).await?;
            assert!(joined.num_joined == 0 && joined.error.contains("in another cluster"), "{outside}: {}", joined.error);
        }
        Ok(())
    });
    cluster.run_for(Duration::from_secs(60));
    for name in SERVERS.into_iter().chain(OTHERS) {
        let want = if SERVERS.contains(&name) { 3 } else { 1 };
        assert_eq!((cluster.server(name).consensus().peers().len(), votes(&cluster, name)), (want, want), "as {name} sees it");
    }
}

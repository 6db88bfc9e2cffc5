//! They find each other, answer through whichever is asked, and lose nothing when the leader crashes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use drover_model::rpc::{
    ReadOptions,
    node::{KvGet, KvList},
};
use drover_runtime::rpc::Header;

use crate::support::{Cluster, PATIENCE, SERVERS, dial, put};

/// Writes through one server and reads each key back through another, at once.
async fn write_and_read(through: &'static str, by: &'static str, prefix: &'static str) -> turmoil::Result {
    let (writer, reader) = (dial(through).await, dial(by).await);
    for number in 0..20 {
        let key = format!("{prefix}/{number:02}");
        put(&writer, key.clone()).await?;
        let read = KvGet { options: ReadOptions::default(), key };
        let found = reader.call(&Header::default(), &read, PATIENCE).await?;
        assert!(found.data.is_some(), "what was answered is read by everybody");
    }
    let list = KvList { options: ReadOptions::default(), prefix: prefix.to_owned() };
    assert_eq!(reader.call(&Header::default(), &list, PATIENCE).await?.data.len(), 20);
    Ok(())
}

#[test]
fn any_server_answers_and_a_crash_loses_nothing() {
    let mut cluster = Cluster::of_three(7);
    let old = cluster.wait_for_leader();
    let others: Vec<_> = SERVERS.into_iter().filter(|name| *name != old).collect();
    let (one, other) = (others[0], others[1]);
    cluster.simulation.client("operator-1", write_and_read(one, other, "one"));
    cluster.until("twenty are everywhere", |cluster| SERVERS.iter().all(|name| cluster.keys(name).len() == 20));

    cluster.crash(old);
    cluster.wait_for_leader();
    cluster.simulation.client("operator-2", write_and_read(one, other, "two"));
    cluster.until("forty are on both", |cluster| others.iter().all(|name| cluster.keys(name).len() == 40));

    cluster.simulation.bounce(old);
    cluster.until("the old one has caught up", |cluster| cluster.keys(old) == cluster.keys(one));
}

/// All of them remember who led. That one may be gone for good, and who is left must not wait for it, nor for each other.
#[test]
fn when_all_crash_those_who_come_back_go_on() {
    for stays_away in [true, false] {
        let mut cluster = Cluster::of_three(11);
        let old = cluster.wait_for_leader();
        let others: Vec<_> = SERVERS.into_iter().filter(|name| *name != old).collect();
        let (one, other) = (others[0], others[1]);
        let written = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&written);
        cluster.simulation.client("operator-1", async move {
            write_and_read(one, other, "one").await?;
            done.store(true, Ordering::SeqCst);
            Ok(())
        });
        cluster.until("what was written is read", |_| written.load(Ordering::SeqCst));
        SERVERS.into_iter().for_each(|name| cluster.crash(name));
        others.iter().for_each(|name| cluster.simulation.bounce(*name));
        if !stays_away {
            cluster.simulation.bounce(old);
        }
        cluster.wait_for_leader();
        cluster.simulation.client("operator-2", write_and_read(one, other, "two"));
        cluster.until("forty are on both", |cluster| others.iter().all(|name| cluster.keys(name).len() == 40));
    }
}

//! They find each other, answer through whichever is asked, and lose nothing when the leader crashes.

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

//! A server that is killed again and again while it is written to.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Agent, wait};

/// Each kill comes so many milliseconds after the first answered write.
const KILLS: [u64; 6] = [0, 3, 11, 40, 90, 170];
const WRITERS: usize = 4;

#[tokio::test]
async fn what_was_answered_survives_a_kill_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let mut answered: Vec<String> = Vec::new();
    for (round, after) in KILLS.into_iter().enumerate() {
        let mut agent = Agent::start(folder.path(), Agent::binary()).await;
        let accepted = async |name: String| agent.write(&name).await.is_some_and(|(status, _)| status == 200).then_some(name);
        answered.push(wait("a leader", async || accepted(format!("first-{round}")).await).await);
        let found = agent.reads("?consistent").await;
        let lost: Vec<_> = answered.iter().filter(|name| !found.contains(&format!("\"{name}\""))).collect();
        assert!(lost.is_empty(), "round {round} lost {lost:?} of {} that were answered", answered.len());
        let writer = async |writer: usize| {
            let mut own = Vec::new();
            for number in 0.. {
                match accepted(format!("w-{round}-{writer}-{number}")).await {
                    Some(name) => own.push(name),
                    None => break,
                }
            }
            own
        };
        let killed = async {
            tokio::time::sleep(Duration::from_millis(after)).await;
            agent.signal(Signal::SIGKILL);
        };
        let (written, ()) = tokio::join!(futures::future::join_all((0..WRITERS).map(writer)), killed);
        answered.extend(written.into_iter().flatten());
        agent.kill();
    }
    assert!(answered.len() > KILLS.len(), "{} writes are too few to lose any", answered.len());
}

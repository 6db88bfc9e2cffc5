//! Group commit: the commands that wait become one log entry.

use std::{sync::Arc, time::Duration};

use drover_runtime::Clock;
use openraft::{
    Raft, RaftMetrics,
    error::{ClientWriteError, Fatal, RaftError},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

use super::{
    Error,
    headroom::Headroom,
    leadership,
    types::{Batch, Item, ServerNode, TypeConfig},
};
use crate::fsm::command::{Applied, COMMAND_VERSION, Command, Proposed};

/// How long a proposer waits, for its place in the queue and for its answer.
pub(super) const PROPOSE_TIMEOUT: Duration = Duration::from_secs(30);
/// Commands that wait for a batch. More wait in their callers.
const QUEUED_COMMANDS: usize = 4096;
const BATCH_COMMANDS: usize = 1024;
/// A batch takes no more commands once it has so many bytes.
const BATCH_BYTES: usize = 4 << 20;
/// One command. An entry must fit into one message between servers.
pub(super) const COMMAND_BYTES: usize = 48 << 20;
/// Batches on their way at a time: while one is written, the next is on its way to the log, and the rest gathers.
const BATCHES_IN_FLIGHT: usize = 2;
/// A batch of so many commands means that many ask at once; whoever is answered then asks again before long.
pub(super) const CROWD: usize = 4;
/// How often a crowd's batch lets all others have their turn before it leaves, so that those who were just answered can join it.
const TURNS: usize = 16;

/// Where commands wait.
pub(super) struct Proposer {
    queue: mpsc::Sender<Item>,
    clock: Arc<dyn Clock>,
    held: watch::Sender<bool>,
}

impl Proposer {
    pub(super) fn start(
        raft: Raft<TypeConfig>,
        clock: Arc<dyn Clock>,
        headroom: Arc<Headroom>,
        installed: watch::Receiver<()>,
        stop: CancellationToken,
    ) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(QUEUED_COMMANDS);
        let held = watch::Sender::new(false);
        let hold = held.subscribe();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = run(raft, waiting, hold, headroom, installed) => {}
            }
        });
        (Self { queue, clock, held }, task)
    }

    /// While it is held, commands wait; nothing is lost.
    pub(super) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    pub(super) async fn propose(&self, command: Command) -> Result<Applied, Error> {
        let (answer, answered) = oneshot::channel();
        let item = Item::new(Proposed { version: COMMAND_VERSION, at: self.clock.now(), command }, Some(answer))?;
        if item.encoded.len() > COMMAND_BYTES {
            return Err(Error::TooLarge { size: item.encoded.len(), most: COMMAND_BYTES });
        }
        let exchange = async {
            self.queue.send(item).await.map_err(|_| Error::Shutdown)?;
            answered.await.unwrap_or(Err(Error::Shutdown))
        };
        tokio::time::timeout(PROPOSE_TIMEOUT, exchange).await.unwrap_or(Err(Error::Timeout { after: PROPOSE_TIMEOUT }))
    }
}

/// A batch costs the servers about the same whatever is in it. So a lone command leaves at once, but as long as there is a crowd, the next batch grows while one is on
/// its way, unless it is full.
async fn run(
    raft: Raft<TypeConfig>,
    mut waiting: mpsc::Receiver<Item>,
    mut held: watch::Receiver<bool>,
    headroom: Arc<Headroom>,
    installed: watch::Receiver<()>,
) {
    let mut in_flight = JoinSet::new();
    let mut crowded = false;
    while let Some(first) = waiting.recv().await {
        let mut gathered = Gathered::new(first);
        while crowded && !in_flight.is_empty() && !gathered.is_full() {
            tokio::select! {
                _ = in_flight.join_next() => {}
                Some(next) = waiting.recv() => gathered.push(next),
            }
        }
        while in_flight.len() >= BATCHES_IN_FLIGHT {
            in_flight.join_next().await;
        }
        if crowded {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
        }
        if held.wait_for(|held| !held).await.is_err() {
            return;
        }
        gathered.take(&mut waiting);
        crowded = gathered.items.len() >= CROWD;
        // Only the leader's disk decides; whoever does not lead says so.
        match headroom.take(gathered.bytes) {
            Err(error) if is_current_leader(&raft.metrics()) => refuse(&gathered.items, &error),
            _ => {
                let (raft, headroom, installed) = (raft.clone(), Arc::clone(&headroom), installed.clone());
                in_flight.spawn(async move { write(&raft, gathered, &headroom, installed).await });
            }
        }
        while in_flight.try_join_next().is_some() {}
    }
}

/// One borrow and no more: it is a read lock, and a second one waits for a writer that waits for the first.
fn is_current_leader(metrics: &watch::Receiver<RaftMetrics<u64, ServerNode>>) -> bool {
    let metrics = metrics.borrow();
    metrics.current_leader == Some(metrics.id)
}

/// A batch as it grows.
struct Gathered {
    items: Vec<Item>,
    bytes: usize,
}

impl Gathered {
    fn new(first: Item) -> Self {
        let mut gathered = Self { items: Vec::new(), bytes: 0 };
        gathered.push(first);
        gathered
    }

    fn is_full(&self) -> bool {
        self.items.len() >= BATCH_COMMANDS || self.bytes >= BATCH_BYTES
    }

    fn push(&mut self, item: Item) {
        self.bytes += item.encoded.len();
        self.items.push(item);
    }

    /// Takes what waits right now, as much as there is room for.
    fn take(&mut self, waiting: &mut mpsc::Receiver<Item>) {
        while !self.is_full()
            && let Ok(next) = waiting.try_recv()
        {
            self.push(next);
        }
    }
}

/// Gets commands into the log. Those that are applied are answered by who applies them.
///
/// It ends in any case: as long as it is under way, others wait for it. openraft never answers for an entry that a snapshot has taken the place of, which is what a
/// leader that was cut off can get from the next one.
async fn write(raft: &Raft<TypeConfig>, Gathered { items, .. }: Gathered, headroom: &Headroom, mut installed: watch::Receiver<()>) {
    let under_way = UnderWay(items);
    installed.mark_unchanged();
    let written = tokio::select! {
        written = raft.client_write(Batch { items: under_way.0.clone() }) => written.map_err(why),
        full = headroom.until_log_waits() => Err(full),
        Ok(()) = installed.changed() => Err(Error::Deposed),
        () = tokio::time::sleep(PROPOSE_TIMEOUT) => Err(Error::Timeout { after: PROPOSE_TIMEOUT }),
    };
    if let Err(error) = written {
        refuse(&under_way.0, &error);
    }
}

/// Commands that are being written. When nobody looks after them any more, those who still wait hear of it: the log has its copies, and would keep them waiting.
struct UnderWay(Vec<Item>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        refuse(&self.0, &Error::Shutdown);
    }
}

fn refuse(items: &[Item], error: &Error) {
    items.iter().for_each(|item| item.answer(Err(error.clone())));
}

fn why(error: RaftError<u64, ClientWriteError<u64, ServerNode>>) -> Error {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => leadership::not_leader(Some(&forward)),
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => Error::Storage(error.to_string()),
        RaftError::Fatal(Fatal::Stopped) => Error::Shutdown,
        RaftError::Fatal(fatal) => Error::Storage(format!("this server has stopped taking part: {fatal}")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// openraft writes its metrics from another thread at every step, and waits for whoever reads them.
    #[test]
    fn asking_who_leads_never_waits_for_itself() {
        let mut leading = RaftMetrics::new_initial(1);
        leading.current_leader = Some(1);
        let (sender, receiver) = watch::channel(leading);
        let (done, finished) = mpsc::channel();
        std::thread::spawn(move || {
            let all = (0..200_000).all(|_| is_current_leader(&receiver));
            // After the limit below nobody waits for it.
            let _ = done.send(all);
        });
        std::thread::spawn(move || {
            while !sender.is_closed() {
                sender.send_modify(|metrics| metrics.current_term += 1);
            }
        });
        assert_eq!(finished.recv_timeout(Duration::from_secs(30)), Ok(true), "two threads wait for each other");
    }
}

//! How log entries reach the state machine, and how its snapshots reach the disk.

use std::{
    io::{Cursor, Read, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use drover_runtime::{apart, disk::is_full};
use openraft::{
    AnyError, EntryPayload, ErrorSubject, ErrorVerb, OptionalSend, RaftSnapshotBuilder, Snapshot, StorageIOError, storage::RaftStateMachine,
};
use tokio::sync::watch;

use super::{
    headroom::Headroom,
    log::{Error, Flushed},
    snapshot::{SnapshotStore, seal, unseal},
    types::{Batch, Entry, Item, LogId, SnapshotMeta, StorageError, StoredMembership, TypeConfig},
};
use crate::fsm::command::{Applied, COMMAND_VERSION, Proposed};

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What the log's commands change. Same commands, same state: on every server, and at every start.
pub trait StateMachine: Send + 'static {
    /// Applies a batch in its order; exactly one answer each.
    fn apply(&mut self, proposals: Vec<Proposed>) -> Vec<Applied>;

    /// The state as it is now, to be written later. Costs nothing.
    fn snapshot(&self) -> Box<dyn SnapshotSource>;

    /// Replaces the state by what a [`SnapshotSource`] wrote; on an error nothing is changed.
    fn restore(&mut self, input: &mut dyn Read) -> Result<(), BoxError>;
}

/// A state that waits to be written.
pub trait SnapshotSource: Send + 'static {
    /// The state as bytes with a version. Called off the async threads.
    fn write(self: Box<Self>, out: &mut dyn Write) -> Result<(), BoxError>;
}

type Machine = Arc<Mutex<Box<dyn StateMachine>>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A [`StateMachine`] as openraft drives it.
pub(super) struct Adapter {
    machine: Machine,
    snapshots: SnapshotStore,
    headroom: Arc<Headroom>,
    flushed: Flushed,
    applied: Option<LogId>,
    membership: StoredMembership,
    /// Told of each snapshot from another server.
    installed: watch::Sender<()>,
}

impl Adapter {
    /// Restores the state from the newest snapshot, when there is one.
    pub(super) fn open(
        mut machine: Box<dyn StateMachine>,
        snapshots: SnapshotStore,
        headroom: Arc<Headroom>,
        flushed: Flushed,
    ) -> Result<Self, Error> {
        let (mut applied, mut membership) = (None, StoredMembership::default());
        if let Some((meta, sealed)) = snapshots.read()? {
            let damaged = |what: String| Error::Damaged { path: snapshots.path().to_owned(), offset: 0, what };
            let mut input = unseal(&sealed).map_err(|error| damaged(error.to_string()))?;
            machine.restore(&mut input).map_err(|error| damaged(error.to_string()))?;
            (applied, membership) = (meta.last_log_id, meta.last_membership);
            headroom.set_snapshot(sealed.len());
        }
        Ok(Self {
            machine: Arc::new(Mutex::new(machine)),
            snapshots,
            headroom,
            flushed,
            applied,
            membership,
            installed: watch::Sender::new(()),
        })
    }

    pub(super) fn applied(&self) -> Option<LogId> {
        self.applied
    }

    /// Changes with each snapshot from another server.
    pub(super) fn installed(&self) -> watch::Receiver<()> {
        self.installed.subscribe()
    }

    /// Says who takes part, as an operator wants it.
    pub(super) fn replace_membership(&mut self, membership: StoredMembership) {
        self.membership = membership;
    }

    /// Applies a batch and answers who proposed it: by now it is committed, and readers see it.
    fn apply_batch(&self, batch: &Batch) -> Result<(), String> {
        if batch.version() > COMMAND_VERSION {
            return Err(format!(
                "its commands have version {}, this binary knows up to {COMMAND_VERSION}: use the binary that wrote it or a newer one",
                batch.version()
            ));
        }
        let count = batch.items.len();
        let proposals = batch.items.iter().map(Item::take).collect::<Result<_, _>>()?;
        let applied = lock(&self.machine).apply(proposals);
        if applied.len() != count {
            return Err(format!("the state machine gave {} answers to {count} commands", applied.len()));
        }
        batch.items.iter().zip(applied).for_each(|(item, applied)| item.answer(Ok(applied)));
        Ok(())
    }
}

impl RaftStateMachine<TypeConfig> for Adapter {
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), StorageError> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<()>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        if let Some(last) = entries.last() {
            // openraft has counted this disk among the majority before it had them.
            let flushed = self.flushed.until(last.log_id).await;
            flushed.map_err(|error| StorageIOError::write_log_entry(last.log_id, AnyError::new(&error)))?;
        }
        for entry in &entries {
            match &entry.payload {
                EntryPayload::Blank => {}
                EntryPayload::Normal(batch) => {
                    self.apply_batch(batch).map_err(|what| StorageIOError::apply(entry.log_id, AnyError::error(what)))?;
                }
                EntryPayload::Membership(membership) => {
                    self.membership = StoredMembership::new(Some(entry.log_id), membership.clone());
                }
            }
            self.applied = Some(entry.log_id);
        }
        Ok(vec![(); entries.len()])
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder {
            source: Mutex::new(Some(lock(&self.machine).snapshot())),
            snapshots: self.snapshots.clone(),
            headroom: Arc::clone(&self.headroom),
            applied: self.applied,
            membership: self.membership.clone(),
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::new(Cursor::new(Vec::new())))
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Box<Cursor<Vec<u8>>>) -> Result<(), StorageError> {
        let (machine, sealed) = (Arc::clone(&self.machine), Arc::new(snapshot.into_inner()));
        let restored = Arc::clone(&sealed);
        run(ErrorVerb::Write, move || lock(&machine).restore(&mut unseal(&restored)?)).await?;
        write(&self.snapshots, &self.headroom, meta, &sealed).await?;
        (self.applied, self.membership) = (meta.last_log_id, meta.last_membership.clone());
        self.installed.send_replace(());
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, StorageError> {
        let snapshots = self.snapshots.clone();
        let read = run(ErrorVerb::Read, move || Ok(snapshots.read()?)).await?;
        Ok(read.map(|(meta, sealed)| Snapshot { meta, snapshot: Box::new(Cursor::new(sealed)) }))
    }
}

/// Writes one snapshot.
pub(super) struct Builder {
    /// None once it has been written.
    source: Mutex<Option<Box<dyn SnapshotSource>>>,
    snapshots: SnapshotStore,
    headroom: Arc<Headroom>,
    applied: Option<LogId>,
    membership: StoredMembership,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, StorageError> {
        let meta = SnapshotMeta {
            last_log_id: self.applied,
            last_membership: self.membership.clone(),
            snapshot_id: self.applied.map_or_else(String::new, |id| format!("{}-{}-{}", id.leader_id.term, id.leader_id.node_id, id.index)),
        };
        let source = lock(&self.source).take();
        let pack = move || {
            let source = source.ok_or("the snapshot has been written already")?;
            seal(|out| source.write(out))
        };
        let sealed = Arc::new(run(ErrorVerb::Write, pack).await?);
        write(&self.snapshots, &self.headroom, &meta, &sealed).await?;
        tracing::info!(index = meta.last_log_id.map(|id| id.index), bytes = sealed.len(), "wrote a snapshot");
        Ok(Snapshot { meta, snapshot: Box::new(Cursor::new(Arc::unwrap_or_clone(sealed))) })
    }
}

/// Puts a snapshot on disk; while that is full, it waits for room.
async fn write(snapshots: &SnapshotStore, headroom: &Headroom, meta: &SnapshotMeta, sealed: &Arc<Vec<u8>>) -> Result<(), StorageError> {
    let mut waits = false;
    loop {
        let (store, meta, sealed) = (snapshots.clone(), meta.clone(), Arc::clone(sealed));
        let size = sealed.len();
        let written = run(ErrorVerb::Write, move || match store.write(&meta, &sealed) {
            Err(Error::Io { source, .. }) if is_full(&source) => Ok(false),
            other => Ok(other.map(|()| true)?),
        });
        if written.await? {
            headroom.set_snapshot(size);
            return Ok(());
        }
        if !std::mem::replace(&mut waits, true) {
            tracing::warn!(path = %snapshots.path().display(), bytes = size, "the disk is full: a snapshot waits for room");
        }
        if !headroom.pause().await {
            let stopped = AnyError::error("this server stops, and there was no room for the snapshot");
            return Err(StorageIOError::new(ErrorSubject::Snapshot(None), ErrorVerb::Write, stopped).into());
        }
    }
}

async fn run<T: Send + 'static>(verb: ErrorVerb, work: impl FnOnce() -> Result<T, BoxError> + Send + 'static) -> Result<T, StorageError> {
    let failed = |what: String| StorageError::from(StorageIOError::new(ErrorSubject::Snapshot(None), verb, AnyError::error(what)));
    let result = apart(work).await.map_err(|error| failed(error.to_string()))?;
    result.map_err(|error| failed(error.to_string()))
}

//! The other end's calls that run here.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    future::Future,
    io,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use bytes::Bytes;
use drover_model::rpc::Error;
use futures::FutureExt;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Caller, Connection, Dispatch, RawSink,
    connection::{Handle, Inner},
    frame::{Frame, Head},
};

pub(super) struct Serving {
    inner: Arc<Inner>,
    /// Weak, so that the connection closes when all its users are gone.
    handle: Weak<Handle>,
    dispatch: Arc<dyn Dispatch>,
    running: Mutex<BTreeMap<u64, Running>>,
    tasks: TaskTracker,
}

struct Running {
    cancel: CancellationToken,
    /// What a stream may still send.
    credit: Option<Arc<Semaphore>>,
}

fn violation(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Serving {
    pub(super) fn new(inner: Arc<Inner>, handle: Weak<Handle>, dispatch: Arc<dyn Dispatch>) -> Self {
        Self { inner, handle, dispatch, running: Mutex::default(), tasks: TaskTracker::new() }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<u64, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a call in a task of its own.
    pub(super) fn call(self: &Arc<Self>, id: u64, head: Head, body: Bytes) -> io::Result<()> {
        let (Some(caller), Some(cancel)) = (self.caller(&head), self.admit(id, None)?) else { return Ok(()) };
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            let dispatch = Arc::clone(&this.dispatch);
            let method = head.method.clone();
            let handler = async move { dispatch.call(&method, caller, body).await };
            let Some(result) = run(&head.method, &cancel, handler).await else { return this.finish(id) };
            this.finish(id);
            if let Err(error) = this.inner.send(Frame::Reply { id, result }).await
                && error.status == 413
            {
                // Too large to send; that it is lost for other reasons the caller learns from the connection.
                let _ = this.inner.send(Frame::Reply { id, result: Err(error) }).await;
            }
        });
        Ok(())
    }

    /// Runs a stream in a task of its own.
    pub(super) fn subscribe(self: &Arc<Self>, id: u64, head: Head, body: Bytes) -> io::Result<()> {
        let credit = Arc::new(Semaphore::new(self.inner.limits().stream_window_bytes as usize));
        let (Some(caller), Some(cancel)) = (self.caller(&head), self.admit(id, Some(&credit))?) else { return Ok(()) };
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            let dispatch = Arc::clone(&this.dispatch);
            let method = head.method.clone();
            let sink = RawSink::remote(Arc::clone(&this.inner), id, Arc::clone(&credit));
            let handler = async move { dispatch.subscribe(&method, caller, body, sink).await };
            let result = run(&head.method, &cancel, handler).await;
            // Clones of the sink may be elsewhere: they must not send after the end.
            credit.close();
            this.finish(id);
            if let Some(result) = result {
                let _ = this.inner.send(Frame::End { id, result }).await;
            }
        });
        Ok(())
    }

    /// None when the connection is closing.
    fn caller(&self, head: &Head) -> Option<Caller> {
        let connection = Connection { handle: self.handle.upgrade()? };
        Some(Caller {
            address: self.inner.peer.address.clone(),
            region: head.region.clone(),
            token: head.token.clone(),
            connection: Some(connection),
        })
    }

    /// None when there are too many already, which the caller is told.
    fn admit(&self, id: u64, credit: Option<&Arc<Semaphore>>) -> io::Result<Option<CancellationToken>> {
        let mut running = self.running();
        let full = running.len() >= self.inner.limits().served_at_a_time;
        match running.entry(id) {
            Entry::Occupied(_) => Err(violation("the other end has used a call's id twice")),
            Entry::Vacant(_) if full => {
                drop(running);
                let error = Error::unavailable("too many calls at a time on one connection");
                self.inner.send_control(Frame::Reply { id, result: Err(error) });
                Ok(None)
            }
            Entry::Vacant(entry) => {
                let cancel = CancellationToken::new();
                entry.insert(Running { cancel: cancel.clone(), credit: credit.map(Arc::clone) });
                Ok(Some(cancel))
            }
        }
    }

    fn finish(&self, id: u64) {
        self.running().remove(&id);
    }

    pub(super) fn cancel(&self, id: u64) {
        if let Some(running) = self.running().get(&id) {
            running.cancel.cancel();
        }
    }

    /// The receiver of a stream has read so many bytes more.
    pub(super) fn credit(&self, id: u64, bytes: u32) -> io::Result<()> {
        let running = self.running();
        let Some(Running { credit: Some(credit), .. }) = running.get(&id) else { return Ok(()) };
        let bytes = bytes as usize;
        if credit.available_permits() + bytes > self.inner.limits().stream_window_bytes as usize {
            return Err(violation("the other end grants more of a stream than its window"));
        }
        credit.add_permits(bytes);
        Ok(())
    }

    /// Ends all that still runs.
    pub(super) async fn stop(&self) {
        for running in self.running().values() {
            running.cancel.cancel();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Runs a handler; none when it is cancelled. Its panic is an error for its caller alone.
async fn run<T>(method: &str, cancel: &CancellationToken, handler: impl Future<Output = Result<T, Error>>) -> Option<Result<T, Error>> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        result = AssertUnwindSafe(handler).catch_unwind() => Some(result.unwrap_or_else(|_| {
            tracing::error!(method, "a handler has panicked");
            Err(Error::internal(format!("{method}: internal error, see the log of the agent that answered")))
        })),
    }
}

//! One end of a connection, as callers see it.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    io,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use drover_model::rpc::{Error, Method, StreamMethod, VERSION};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    Dispatch, Header, Hello, ItemStream, Limits, Peer, RawStream, drive, encode,
    frame::{Encoded, Frame, Head},
    is_long,
    stream::{Event, cost},
};
use crate::{
    in_place_if,
    network::{Network, Stream},
};

/// Bytes that wait to be written. A larger frame waits until nothing else does.
const QUEUED_BYTES: usize = 64 << 20;
/// Cancellations, credits and keepalives that wait to be written. When there are more, the other end has stopped reading.
const QUEUED_CONTROL_FRAMES: usize = 4096;

/// One end of a connection. Clones are the same connection; when the last one is dropped, it is closed.
#[derive(Clone)]
pub struct Connection {
    pub(super) handle: Arc<Handle>,
}

pub(super) struct Handle {
    pub(super) inner: Arc<Inner>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.inner.close("this side has closed it");
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.peer())
    }
}

impl Connection {
    /// Dials `address` and says hello.
    pub async fn open(network: &dyn Network, address: &str, hello: Hello, dispatch: Arc<dyn Dispatch>) -> io::Result<Self> {
        Self::open_with(network, address, hello, dispatch, Limits::default()).await
    }

    pub async fn open_with(
        network: &dyn Network,
        address: &str,
        hello: Hello,
        dispatch: Arc<dyn Dispatch>,
        limits: Limits,
    ) -> io::Result<Self> {
        let dial = async {
            let stream = network.connect(address).await?;
            Self::establish(stream, true, address, hello, dispatch, limits).await
        };
        within(limits.hello_timeout, address, dial).await
    }

    /// Says hello on a stream that somebody at `address` has opened.
    pub async fn accept(stream: Box<dyn Stream>, address: &str, hello: Hello, dispatch: Arc<dyn Dispatch>) -> io::Result<Self> {
        Self::accept_with(stream, address, hello, dispatch, Limits::default()).await
    }

    pub async fn accept_with(
        stream: Box<dyn Stream>,
        address: &str,
        hello: Hello,
        dispatch: Arc<dyn Dispatch>,
        limits: Limits,
    ) -> io::Result<Self> {
        within(limits.hello_timeout, address, Self::establish(stream, false, address, hello, dispatch, limits)).await
    }

    async fn establish(
        mut stream: Box<dyn Stream>,
        dialled: bool,
        address: &str,
        hello: Hello,
        dispatch: Arc<dyn Dispatch>,
        limits: Limits,
    ) -> io::Result<Self> {
        let peer = drive::exchange_hello(&mut stream, address, &hello, &limits).await?;
        let limits = limits.between(hello.role, peer.role);
        let (outgoing, queued) = mpsc::channel(limits.queued_frames);
        let (control, queued_control) = mpsc::channel(QUEUED_CONTROL_FRAMES);
        let inner = Arc::new(Inner {
            peer,
            dialled,
            limits,
            next_id: AtomicU64::new(1),
            calls: Mutex::new(Calls::default()),
            outgoing,
            outgoing_bytes: Arc::new(Semaphore::new(QUEUED_BYTES)),
            control,
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
            reason: OnceLock::new(),
        });
        let connection = Self { handle: Arc::new(Handle { inner: Arc::clone(&inner) }) };
        // Owned by the handle: dropping it ends the task.
        tokio::spawn(drive::run(stream, inner, Arc::downgrade(&connection.handle), dispatch, queued, queued_control));
        Ok(connection)
    }

    pub fn peer(&self) -> &Peer {
        &self.inner().peer
    }

    /// Calls a method of the other end and waits for its reply. Dropping the future tells the other end to stop.
    pub async fn call<M: Method>(&self, header: &Header, message: &M, timeout: Duration) -> Result<M::Reply, Error> {
        let reply = self.call_raw(M::NAME, header, message.encode()?, timeout).await?;
        in_place_if(is_long(&reply), || M::decode_reply(&reply))
    }

    /// The same with bytes, to pass on a call that another process has made.
    pub async fn call_raw(&self, method: &str, header: &Header, body: Bytes, timeout: Duration) -> Result<Bytes, Error> {
        let inner = self.inner();
        let (sender, receiver) = oneshot::channel();
        let id = inner.start(Waiting::Call(sender))?;
        let _forget = Forget { inner, id };
        let exchange = async {
            inner.send(Frame::Request { id, head: head(method, header), body }).await?;
            receiver.await.unwrap_or_else(|_| Err(inner.lost()))
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(result) => result,
            Err(_) => Err(Error::unavailable(format!("{method}: no answer from {} within {timeout:?}", inner.peer))),
        }
    }

    /// Opens a stream of the other end. A refusal comes as its first item.
    pub async fn subscribe<S: StreamMethod>(&self, header: &Header, message: &S) -> Result<ItemStream<S::Item>, Error> {
        Ok(ItemStream::new(self.subscribe_raw(S::NAME, header, encode(message)?).await?))
    }

    /// The same with bytes, to pass on a stream that another process has asked for.
    pub async fn subscribe_raw(&self, method: &str, header: &Header, body: Bytes) -> Result<RawStream, Error> {
        let inner = self.inner();
        let (sender, events) = mpsc::unbounded_channel();
        let id = inner.start(Waiting::Stream { events: sender, unread: 0 })?;
        let stream = RawStream::remote(Arc::clone(inner), id, events);
        inner.send(Frame::Subscribe { id, head: head(method, header), body }).await?;
        Ok(stream)
    }

    /// Closes the connection; calls that wait fail.
    pub fn close(&self) {
        self.inner().close("this side has closed it");
    }

    /// Returns once the connection is closed and its tasks have ended, with the reason.
    pub async fn closed(&self) -> String {
        self.inner().closed.cancelled().await;
        self.inner().reason().to_owned()
    }

    /// Whether it is the very same connection.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.handle, &other.handle)
    }

    pub fn is_closed(&self) -> bool {
        self.inner().closing.is_cancelled()
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.handle.inner
    }
}

fn head(method: &str, header: &Header) -> Head {
    Head { method: method.to_owned(), region: header.region.clone(), token: header.token.clone(), version: VERSION }
}

async fn within<T>(limit: Duration, address: &str, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("{address} has not completed the handshake within {limit:?}"))),
    }
}

/// What the connection's tasks and its handles share.
pub(super) struct Inner {
    pub(super) peer: Peer,
    /// By this end.
    pub(super) dialled: bool,
    limits: Limits,
    next_id: AtomicU64,
    calls: Mutex<Calls>,
    outgoing: mpsc::Sender<Outgoing>,
    outgoing_bytes: Arc<Semaphore>,
    control: mpsc::Sender<Frame>,
    pub(super) closing: CancellationToken,
    closed: CancellationToken,
    reason: OnceLock<String>,
}

/// A frame that waits to be written, with its share of the bytes that may wait.
pub(super) struct Outgoing {
    pub(super) frame: Encoded,
    /// The call that it opens. When nobody waits for that any more, it is not sent: its cancellation has overtaken it.
    pub(super) opens: Option<u64>,
    pub(super) _permit: OwnedSemaphorePermit,
}

/// This end's calls that wait for answers.
#[derive(Default)]
struct Calls {
    waiting: BTreeMap<u64, Waiting>,
    over: bool,
}

enum Waiting {
    Call(oneshot::Sender<Result<Bytes, Error>>),
    Stream { events: mpsc::UnboundedSender<Event>, unread: u32 },
}

/// Tells the other end that nobody waits for a call any more, unless it has been answered.
struct Forget<'a> {
    inner: &'a Inner,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.inner.forget(self.id);
    }
}

impl Inner {
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, waiting: Waiting) -> Result<u64, Error> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut calls = self.calls();
        if calls.over {
            drop(calls);
            return Err(self.lost());
        }
        calls.waiting.insert(id, waiting);
        Ok(id)
    }

    /// Queues a frame; waits while too much waits already.
    pub(super) async fn send(&self, frame: Frame) -> Result<(), Error> {
        self.check_size(&frame)?;
        let opens = match &frame {
            Frame::Request { id, .. } | Frame::Subscribe { id, .. } => Some(*id),
            _ => None,
        };
        let frame = frame.encode().map_err(|error| Error::bad_request(error.to_string()))?;
        let share = u32::try_from(frame.len().min(QUEUED_BYTES)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.outgoing_bytes).acquire_many_owned(share).await.map_err(|_| self.lost())?;
        self.outgoing.send(Outgoing { frame, opens, _permit: permit }).await.map_err(|_| self.lost())
    }

    fn check_size(&self, frame: &Frame) -> Result<(), Error> {
        let (what, size, most) = match frame {
            Frame::Request { body, .. } | Frame::Subscribe { body, .. } => ("request", body.len(), self.limits.request_bytes),
            Frame::Reply { result: Ok(body), .. } => ("reply", body.len(), self.limits.reply_to(!self.dialled)),
            Frame::Item { body, .. } => ("stream item", body.len(), self.limits.reply_bytes),
            _ => return Ok(()),
        };
        if size > most { Err(Error::new(413, format!("a {what} of {size} bytes, where {most} is the most"))) } else { Ok(()) }
    }

    /// Queues a small frame without waiting, for places that must not wait.
    pub(super) fn send_control(&self, frame: Frame) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.control.try_send(frame) {
            self.close("the other end does not read");
        }
    }

    pub(super) fn is_waiting(&self, id: u64) -> bool {
        self.calls().waiting.contains_key(&id)
    }

    /// A reply has come. Nobody may wait for it any more.
    pub(super) fn complete(&self, id: u64, result: Result<Bytes, Error>) {
        let waiting = self.calls().waiting.remove(&id);
        match waiting {
            Some(Waiting::Call(sender)) => drop(sender.send(result)),
            // The other end refuses to serve the stream.
            Some(Waiting::Stream { events, .. }) => drop(events.send(Event::End(result.map(drop)))),
            None => {}
        }
    }

    /// An item has come.
    pub(super) fn item(&self, id: u64, body: Bytes) -> io::Result<()> {
        let mut calls = self.calls();
        let Some(Waiting::Stream { events, unread }) = calls.waiting.get_mut(&id) else { return Ok(()) };
        let window = self.limits.stream_window_bytes;
        *unread = unread.saturating_add(cost(&body, window));
        if *unread > window {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the other end sends more of a stream than it was granted"));
        }
        drop(events.send(Event::Item(body)));
        Ok(())
    }

    /// A stream's receiver has read so much.
    pub(super) fn grant(&self, id: u64, bytes: u32) {
        if let Some(Waiting::Stream { unread, .. }) = self.calls().waiting.get_mut(&id) {
            *unread = unread.saturating_sub(bytes);
        } else {
            return;
        }
        self.send_control(Frame::Credit { id, bytes });
    }

    /// Nobody waits for this call any more.
    pub(super) fn forget(&self, id: u64) {
        let was_waiting = self.calls().waiting.remove(&id).is_some();
        if was_waiting {
            self.send_control(Frame::Cancel { id });
        }
    }

    /// Asks the connection's tasks to end. The first reason stays.
    pub(super) fn close(&self, reason: impl Into<String>) {
        let _ = self.reason.set(reason.into());
        self.closing.cancel();
    }

    /// Lets everybody who waits know that there will be no answer.
    pub(super) fn fail_waiting(&self) {
        self.outgoing_bytes.close();
        let waiting = {
            let mut calls = self.calls();
            calls.over = true;
            std::mem::take(&mut calls.waiting)
        };
        // Dropping the senders is what wakes the callers: they ask for the reason themselves.
        drop(waiting);
    }

    pub(super) fn set_closed(&self) {
        self.closed.cancel();
    }

    fn reason(&self) -> &str {
        self.reason.get().map_or("it is closed", String::as_str)
    }

    pub(super) fn lost(&self) -> Error {
        Error::unavailable(format!("the connection to the {} is lost: {}", self.peer, self.reason()))
    }
}

/// This end's hello, ready to be written.
pub(super) fn hello_frame(hello: &Hello) -> io::Result<Encoded> {
    let bytes = encode(hello).map_err(io::Error::other)?;
    Frame::Hello(bytes).encode()
}

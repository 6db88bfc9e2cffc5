//! Streams of items, with their two ends.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use drover_model::rpc::Error;
use futures::{FutureExt, Stream, StreamExt, future::BoxFuture};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{Semaphore, mpsc};

use super::{connection::Inner, decode, encode, frame::Frame};

/// Items of a stream within one process that may be unread.
const LOCAL_QUEUE: usize = 64;
/// What an item costs beside its bytes, so that many empty ones are bounded too.
const ITEM_OVERHEAD_BYTES: usize = 64;

/// What an item takes of the window; one that is larger than the window takes all of it.
pub(super) fn cost(body: &Bytes, window: u32) -> u32 {
    u32::try_from(body.len() + ITEM_OVERHEAD_BYTES).unwrap_or(u32::MAX).min(window)
}

/// Sends the items of one stream, as bytes.
#[derive(Clone)]
pub struct RawSink(SinkEnd);

#[derive(Clone)]
enum SinkEnd {
    Remote { inner: Arc<Inner>, id: u64, credit: Arc<Semaphore> },
    Local(mpsc::Sender<Bytes>),
}

impl fmt::Debug for RawSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            SinkEnd::Remote { .. } => "RawSink(remote)",
            SinkEnd::Local(_) => "RawSink(local)",
        })
    }
}

impl RawSink {
    pub(super) fn remote(inner: Arc<Inner>, id: u64, credit: Arc<Semaphore>) -> Self {
        Self(SinkEnd::Remote { inner, id, credit })
    }

    /// Sends one item; waits while the receiver has enough to read. An error says that nobody reads any more.
    pub async fn send(&self, body: Bytes) -> Result<(), Error> {
        let gone = || Error::unavailable("the receiver of the stream is gone");
        match &self.0 {
            SinkEnd::Local(sender) => sender.send(body).await.map_err(|_| gone()),
            SinkEnd::Remote { inner, id, credit } => {
                let cost = cost(&body, inner.limits().stream_window_bytes);
                // The receiver gives it back once the item is read.
                credit.acquire_many(cost).await.map_err(|_| gone())?.forget();
                inner.send(Frame::Item { id: *id, body }).await
            }
        }
    }
}

/// Sends the items of one stream.
pub struct ItemSink<T> {
    raw: RawSink,
    item: PhantomData<fn(T)>,
}

impl<T> Clone for ItemSink<T> {
    fn clone(&self) -> Self {
        Self::new(self.raw.clone())
    }
}

impl<T> fmt::Debug for ItemSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw.fmt(f)
    }
}

impl<T> ItemSink<T> {
    pub fn new(raw: RawSink) -> Self {
        Self { raw, item: PhantomData }
    }

    pub fn into_raw(self) -> RawSink {
        self.raw
    }
}

impl<T: Serialize + DeserializeOwned> ItemSink<T> {
    /// Sends one item; waits while the receiver has enough to read. An error says that nobody reads any more.
    pub async fn send(&self, item: &T) -> Result<(), Error> {
        self.raw.send(encode(item)?).await
    }
}

/// What the reading task hands to a stream's receiver.
pub(super) enum Event {
    Item(Bytes),
    End(Result<(), Error>),
}

/// The items of one stream, as bytes. Dropping it cancels the stream.
pub struct RawStream(StreamEnd);

enum StreamEnd {
    Remote(RemoteStream),
    Local(LocalStream),
}

impl fmt::Debug for RawStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawStream")
    }
}

impl RawStream {
    pub(super) fn remote(inner: Arc<Inner>, id: u64, events: mpsc::UnboundedReceiver<Event>) -> Self {
        Self(StreamEnd::Remote(RemoteStream { inner, id, events, read_bytes: 0, ended: false }))
    }

    /// A stream whose handler runs in this process, driven by whoever reads it.
    pub fn local<R>(handler: impl FnOnce(RawSink) -> R) -> Self
    where
        R: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let (sender, items) = mpsc::channel(LOCAL_QUEUE);
        let handler = handler(RawSink(SinkEnd::Local(sender))).boxed();
        Self(StreamEnd::Local(LocalStream { items, handler: Some(handler), failure: None }))
    }
}

impl Stream for RawStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.0 {
            StreamEnd::Remote(stream) => stream.poll_next(context),
            StreamEnd::Local(stream) => stream.poll_next(context),
        }
    }
}

struct LocalStream {
    items: mpsc::Receiver<Bytes>,
    handler: Option<BoxFuture<'static, Result<(), Error>>>,
    /// Why the handler ended; told after the items that it sent before.
    failure: Option<Error>,
}

impl LocalStream {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        // The handler first, so that what it sends now is seen below; it cannot starve the reader, as its queue is bounded.
        if let Some(running) = &mut self.handler
            && let Poll::Ready(result) = running.poll_unpin(context)
        {
            self.handler = None;
            self.failure = result.err();
        }
        match self.items.poll_recv(context) {
            Poll::Ready(None) => Poll::Ready(self.failure.take().map(Err)),
            other => other.map(|item| item.map(Ok)),
        }
    }
}

struct RemoteStream {
    inner: Arc<Inner>,
    id: u64,
    /// Not bounded by itself: the reading task closes the connection of a peer that sends more than the window.
    events: mpsc::UnboundedReceiver<Event>,
    /// Read, but not yet granted again.
    read_bytes: u32,
    ended: bool,
}

impl RemoteStream {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match self.events.poll_recv(context) {
            Poll::Ready(Some(Event::Item(body))) => {
                let window = self.inner.limits().stream_window_bytes;
                self.read_bytes += cost(&body, window);
                if self.read_bytes >= window / 4 {
                    self.grant();
                }
                Poll::Ready(Some(Ok(body)))
            }
            Poll::Ready(Some(Event::End(result))) => {
                self.ended = true;
                Poll::Ready(result.err().map(Err))
            }
            Poll::Ready(None) => {
                self.ended = true;
                Poll::Ready(Some(Err(self.inner.lost())))
            }
            Poll::Pending => {
                // The sender may have an item that needs the whole window.
                self.grant();
                Poll::Pending
            }
        }
    }

    fn grant(&mut self) {
        if self.read_bytes > 0 {
            self.inner.grant(self.id, self.read_bytes);
            self.read_bytes = 0;
        }
    }
}

impl Drop for RemoteStream {
    fn drop(&mut self) {
        self.inner.forget(self.id);
    }
}

/// The items of one stream. Dropping it cancels the stream.
#[derive(Debug)]
pub struct ItemStream<T> {
    raw: RawStream,
    item: PhantomData<fn() -> T>,
}

impl<T> ItemStream<T> {
    pub fn new(raw: RawStream) -> Self {
        Self { raw, item: PhantomData }
    }

    /// A stream whose handler runs in this process, driven by whoever reads it.
    pub fn local<R>(handler: impl FnOnce(ItemSink<T>) -> R) -> Self
    where
        R: Future<Output = Result<(), Error>> + Send + 'static,
    {
        Self::new(RawStream::local(|sink| handler(ItemSink::new(sink))))
    }
}

impl<T: DeserializeOwned> ItemStream<T> {
    /// The next item; an error is the last one.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        StreamExt::next(self).await
    }
}

impl<T: DeserializeOwned> Stream for ItemStream<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.raw.poll_next_unpin(context).map(|item| item.map(|body| decode(&body?)))
    }
}

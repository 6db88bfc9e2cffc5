//! Which calls one end answers.

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc};

use bytes::Bytes;
use drover_model::rpc::{Error, Method, StreamMethod};
use futures::future::BoxFuture;

use super::{Caller, ItemSink, RawSink, decode, is_long};
use crate::in_place_if;

/// Answers calls by their method's name. A handler's future is dropped when its caller goes away: what must not be left half done, it spawns.
pub trait Dispatch: Send + Sync + 'static {
    fn call(&self, method: &str, caller: Caller, body: Bytes) -> BoxFuture<'static, Result<Bytes, Error>>;

    fn subscribe(&self, method: &str, caller: Caller, body: Bytes, sink: RawSink) -> BoxFuture<'static, Result<(), Error>>;
}

/// Answers the calls of one method.
pub trait Handle<M: Method>: Send + Sync + 'static {
    fn handle(&self, caller: Caller, message: M) -> impl Future<Output = Result<M::Reply, Error>> + Send;
}

type CallHandler = Box<dyn Fn(Caller, Bytes) -> BoxFuture<'static, Result<Bytes, Error>> + Send + Sync>;
type StreamHandler = Box<dyn Fn(Caller, Bytes, RawSink) -> BoxFuture<'static, Result<(), Error>> + Send + Sync>;

/// A table of typed handlers.
#[derive(Default)]
pub struct Router {
    calls: BTreeMap<&'static str, CallHandler>,
    streams: BTreeMap<&'static str, StreamHandler>,
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("calls", &self.calls.keys()).field("streams", &self.streams.keys()).finish()
    }
}

impl Router {
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers `M` with what `handler` returns.
    pub fn method<M, F, R>(mut self, handler: F) -> Self
    where
        M: Method,
        F: Fn(Caller, M) -> R + Send + Sync + 'static,
        R: Future<Output = Result<M::Reply, Error>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let call: CallHandler = Box::new(move |caller, body| {
            let handler = Arc::clone(&handler);
            Box::pin(async move {
                let message = in_place_if(is_long(&body), || M::decode(&body))?;
                drop(body);
                let reply = handler(caller, message).await?;
                in_place_if(M::LISTS, move || M::encode_reply(&reply))
            })
        });
        let before = self.calls.insert(M::NAME, call);
        debug_assert!(before.is_none(), "two handlers for {}", M::NAME);
        self
    }

    /// Answers `M` with [`Handle::handle`].
    pub fn handle<M: Method>(self, handler: Arc<impl Handle<M>>) -> Self {
        self.method(move |caller, message: M| {
            let handler = Arc::clone(&handler);
            async move { handler.handle(caller, message).await }
        })
    }

    /// Answers `S` with what `handler` sends into the sink. The stream ends when it returns.
    pub fn stream<S, F, R>(mut self, handler: F) -> Self
    where
        S: StreamMethod,
        F: Fn(Caller, S, ItemSink<S::Item>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let subscribe: StreamHandler = Box::new(move |caller, body, sink| {
            let handler = Arc::clone(&handler);
            Box::pin(async move { handler(caller, decode(&body)?, ItemSink::new(sink)).await })
        });
        let before = self.streams.insert(S::NAME, subscribe);
        debug_assert!(before.is_none(), "two handlers for {}", S::NAME);
        self
    }

    /// All of this one's handlers and all of the other's.
    pub fn merge(mut self, other: Self) -> Self {
        self.calls.extend(other.calls);
        self.streams.extend(other.streams);
        self
    }
}

fn unknown(method: &str) -> Error {
    Error::not_found(format!("unknown method {method:?}"))
}

impl Dispatch for Router {
    fn call(&self, method: &str, caller: Caller, body: Bytes) -> BoxFuture<'static, Result<Bytes, Error>> {
        match self.calls.get(method) {
            Some(handler) => handler(caller, body),
            None => Box::pin(std::future::ready(Err(unknown(method)))),
        }
    }

    fn subscribe(&self, method: &str, caller: Caller, body: Bytes, sink: RawSink) -> BoxFuture<'static, Result<(), Error>> {
        match self.streams.get(method) {
            Some(handler) => handler(caller, body, sink),
            None => Box::pin(std::future::ready(Err(unknown(method)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use drover_model::{method, rpc::Read};
    use serde::{Deserialize, Serialize, Serializer};

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Rows {}
    method!(Rows, "test.rows", Read<Vec<Row>>);

    /// Whether another task could run while it was written.
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Row(bool);

    impl Serialize for Row {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let (sender, receiver) = std::sync::mpsc::channel();
            tokio::spawn(async move { sender.send(()) });
            serializer.serialize_bool(receiver.recv_timeout(Duration::from_secs(30)).is_ok())
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_list_is_written_without_holding_up_others() {
        let rows = |_, _: Rows| async { Ok(Read { data: vec![Row(false)], meta: Default::default() }) };
        let answer = Router::new().method(rows).call(Rows::NAME, Caller::default(), Rows {}.encode().unwrap());
        // The thread of a test is no worker.
        let body = tokio::spawn(answer).await.unwrap().unwrap();
        let [Row(ran)] = Rows::decode_reply(&body).unwrap().data.try_into().unwrap_or_else(|_| panic!("one row"));
        assert!(ran);
    }
}

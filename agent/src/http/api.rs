//! What every route shares.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use drover_model::{
    ids::{AllocId, NodeId},
    rpc::{
        Error, Method, StreamMethod,
        client::AllocExecInput,
        nodes::{ClientCall, ClientReply, ClientStream, ClientTarget},
    },
};
use drover_runtime::{
    Clock, Random, Runtime,
    rpc::{Caller, Dispatch, ItemStream, RawStream, decode, encode},
};
use futures::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::backend::Backend;
use crate::config::Config;

/// Job files that are read at a time.
const PARSES_AT_A_TIME: usize = 4;
/// How long a request waits for its turn to have a job file read.
const PARSE_QUEUE_TIMEOUT: Duration = Duration::from_secs(10);
/// What the words of a client that does not have an allocation begin with.
const UNKNOWN_ALLOCATION: &str = "Unknown allocation";

/// The client of this agent, as routes see it.
#[derive(Clone)]
pub struct LocalClient {
    pub node: NodeId,
    pub dispatch: Arc<dyn Dispatch>,
}

impl fmt::Debug for LocalClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalClient({})", self.node)
    }
}

/// What the API is made of: who answers, and what this agent is.
#[derive(Debug)]
pub struct Api {
    backend: Backend,
    config: Arc<Config>,
    runtime: Runtime,
    /// Set once the client has started.
    client: OnceLock<LocalClient>,
    extra_headers: HeaderMap,
    parses: Arc<Semaphore>,
}

impl Api {
    pub fn new(backend: Backend, config: Arc<Config>, runtime: Runtime) -> Self {
        let header = |(name, value): (&String, &String)| {
            let parsed = HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::try_from(value.as_str()).ok());
            if parsed.is_none() {
                tracing::warn!(name, "http_api_response_headers: not a valid header; it is left out");
            }
            parsed
        };
        let extra_headers = config.http_headers.iter().filter_map(header).collect();
        let parses = Arc::new(Semaphore::new(PARSES_AT_A_TIME));
        Self { backend, config, runtime, client: OnceLock::new(), extra_headers, parses }
    }

    /// Makes this agent's own client known.
    pub fn set_client(&self, client: LocalClient) {
        let _ = self.client.set(client);
    }

    pub(super) fn backend(&self) -> &Backend {
        &self.backend
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.runtime.clock
    }

    pub(super) fn random(&self) -> &dyn Random {
        &*self.runtime.random
    }

    pub(super) fn client(&self) -> Option<&LocalClient> {
        self.client.get()
    }

    pub(super) fn region(&self) -> &str {
        &self.config.region
    }

    pub(super) fn extra_headers(&self) -> &HeaderMap {
        &self.extra_headers
    }

    /// A turn to read a job file.
    pub(super) async fn parse_permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        let turn = tokio::time::timeout(PARSE_QUEUE_TIMEOUT, Arc::clone(&self.parses).acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or_else(|| Error::new(503, "too many job files are being parsed; try again"))
    }

    /// Asks the client that runs an allocation: our own, else the servers for the way.
    pub(super) async fn ask_allocation<M: Method>(&self, id: AllocId, message: M) -> Result<M::Reply, Error> {
        let body = message.encode()?;
        if let Some(client) = self.client.get() {
            match client.dispatch.call(M::NAME, Caller::default(), body.clone()).await {
                Err(error) if is_elsewhere(&error) => {}
                reply => return M::decode_reply(&reply?),
            }
        }
        self.ask_remote::<M>(ClientTarget::Allocation(id), body.to_vec()).await
    }

    /// Passes input on to a command that runs in an allocation.
    pub(super) async fn ask_allocation_input(&self, id: AllocId, input: AllocExecInput) -> Result<(), Error> {
        let body = encode(&input)?;
        if let Some(client) = self.client.get() {
            match client.dispatch.call(AllocExecInput::NAME, Caller::default(), body.clone()).await {
                // Another node's command: only the client that runs it knows its session.
                Err(error) if error.status == 404 => {}
                reply => return reply.map(drop),
            }
        }
        self.ask_remote::<AllocExecInput>(ClientTarget::Allocation(id), body.to_vec()).await.map(drop)
    }

    /// Asks the client of a node; none is our own.
    pub(super) async fn ask_node<M: Method>(&self, id: Option<NodeId>, message: M) -> Result<M::Reply, Error> {
        let body = message.encode()?;
        match (self.client.get(), id) {
            (None, None) => Err(Error::bad_request("No local Node and node_id not provided")),
            (Some(client), None) => M::decode_reply(&client.dispatch.call(M::NAME, Caller::default(), body).await?),
            (Some(client), Some(id)) if client.node == id => {
                M::decode_reply(&client.dispatch.call(M::NAME, Caller::default(), body).await?)
            }
            (_, Some(id)) => self.ask_remote::<M>(ClientTarget::Node(id), body.to_vec()).await,
        }
    }

    async fn ask_remote<M: Method>(&self, target: ClientTarget, body: Vec<u8>) -> Result<M::Reply, Error> {
        let call = ClientCall { target, method: M::NAME.to_owned(), body, is_passed_on: false };
        M::decode_reply(&self.backend.call(call).await?.body)
    }

    /// Opens a stream of the client that runs an allocation. The first item has come (or, for a stream that is quiet, some time has passed).
    pub(super) async fn stream_allocation<S>(&self, id: AllocId, message: S) -> Result<Opened<S::Item>, Error>
    where
        S: StreamMethod,
    {
        let body = encode(&message)?;
        if let Some(client) = self.client.get() {
            let (dispatch, body) = (Arc::clone(&client.dispatch), body.clone());
            let stream = RawStream::local(|sink| dispatch.subscribe(S::NAME, Caller::default(), body, sink));
            match Opened::open(ItemStream::new(stream).boxed()).await {
                Err(error) if is_elsewhere(&error) => {}
                opened => return opened,
            }
        }
        let call =
            ClientCall { target: ClientTarget::Allocation(id), method: S::NAME.to_owned(), body: body.to_vec(), is_passed_on: false };
        let stream = self.backend.subscribe_client(ClientStream { call }).await?;
        Opened::open(stream.map(|item| item.and_then(|ClientReply { body }| decode(&body))).boxed()).await
    }
}

fn is_elsewhere(error: &Error) -> bool {
    error.status == 404 && error.message.starts_with(UNKNOWN_ALLOCATION)
}

type Items<T> = futures::stream::BoxStream<'static, Result<T, Error>>;

/// A stream of which the first item was looked at, so that a refusal still becomes a status.
pub(super) struct Opened<T> {
    pub(super) items: Items<T>,
}

/// How long a stream may be quiet before its headers are sent all the same.
const QUIET: Duration = Duration::from_millis(250);

impl<T: Send + 'static> Opened<T> {
    async fn open(mut items: Items<T>) -> Result<Self, Error> {
        let items = match tokio::time::timeout(QUIET, items.next()).await {
            Err(_) => items,
            Ok(None) => futures::stream::empty().boxed(),
            Ok(Some(Err(error))) => return Err(error),
            Ok(Some(Ok(first))) => futures::stream::once(std::future::ready(Ok(first))).chain(items).boxed(),
        };
        Ok(Self { items })
    }
}

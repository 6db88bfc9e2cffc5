//! Connections over real TCP, over a pipe whose other end misbehaves, and over a simulated network.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use drover_model::{method, stream_method};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::{Notify, mpsc},
};
use tokio_util::sync::CancellationToken;

use super::{frame::Frame, *};
use crate::{Network, TcpNetwork, sim};

const LONG: Duration = Duration::from_secs(20);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Echo {
    text: String,
}
method!(Echo, "test.echo", String);

/// Answered with as many bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Fill {
    bytes: usize,
}
method!(Fill, "test.fill", String);

/// Has the caller asked for so many bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct FillBack {
    bytes: usize,
}
method!(FillBack, "test.fillback", usize);

/// Never answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Hang {}
method!(Hang, "test.hang", ());

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Explode {}
method!(Explode, "test.explode", ());

/// Asks the caller for an echo.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct CallBack {}
method!(CallBack, "test.callback", String);

/// Counts up; after `fail_after` items it fails.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Count {
    size: usize,
    fail_after: usize,
}
stream_method!(Count, "test.count", (usize, String));

/// What the handlers have seen.
#[derive(Default)]
struct Seen {
    started: Notify,
    dropped: Notify,
    sent: AtomicUsize,
}

struct NotifyOnDrop(Arc<Seen>);

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        self.0.dropped.notify_one();
    }
}

struct Echoer;

impl Handle<Echo> for Echoer {
    async fn handle(&self, _: Caller, message: Echo) -> Result<String, Error> {
        Ok(message.text)
    }
}

fn router(seen: &Arc<Seen>) -> Arc<Router> {
    let (hang, count) = (Arc::clone(seen), Arc::clone(seen));
    Arc::new(
        Router::new()
            .handle::<Echo>(Arc::new(Echoer))
            .method(move |_, _: Hang| {
                let seen = Arc::clone(&hang);
                async move {
                    let _guard = NotifyOnDrop(Arc::clone(&seen));
                    seen.started.notify_one();
                    std::future::pending().await
                }
            })
            .method(|_, message: Fill| async move { Ok("x".repeat(message.bytes)) })
            .method(|caller: Caller, FillBack { bytes }: FillBack| async move {
                let connection = caller.connection.clone().unwrap();
                Ok(connection.call(&caller.header(), &Fill { bytes }, LONG).await?.len())
            })
            .method(|_, _: Explode| async { panic!("as the test wants") })
            .method(|caller: Caller, _: CallBack| async move {
                let connection = caller.connection.clone().unwrap();
                connection.call(&caller.header(), &Echo { text: caller.token.expose().to_owned() }, LONG).await
            })
            .stream(move |_, message: Count, sink| {
                let seen = Arc::clone(&count);
                async move {
                    let _guard = NotifyOnDrop(Arc::clone(&seen));
                    for n in 0..message.fail_after {
                        sink.send(&(n, "x".repeat(message.size))).await?;
                        seen.sent.store(n + 1, Ordering::SeqCst);
                    }
                    Err(Error::not_found("no more"))
                }
            }),
    )
}

fn hello(name: &str) -> Hello {
    Hello::new(Role::Server, "global", name)
}

fn header() -> Header {
    Header { region: "global".into(), token: SecretText::new("s3cret") }
}

struct Host {
    address: SocketAddr,
    seen: Arc<Seen>,
    shutdown: CancellationToken,
}

/// A server on the machine's own network.
async fn host() -> Host {
    let listener = TcpNetwork.listen("127.0.0.1:0").await.unwrap();
    let (address, seen, shutdown) = (listener.local_address().unwrap(), Arc::new(Seen::default()), CancellationToken::new());
    tokio::spawn(serve(listener, hello("host"), router(&seen), ServeLimits::default(), shutdown.clone()));
    Host { address, seen, shutdown }
}

impl Host {
    async fn dial(&self) -> Connection {
        let network = TcpNetwork;
        let hello = Hello::new(Role::Client, "global", "guest");
        Connection::open(&network, &self.address.to_string(), hello, router(&self.seen)).await.unwrap()
    }
}

#[tokio::test]
async fn many_calls_share_a_connection_in_both_directions() {
    let host = host().await;
    let connection = host.dial().await;
    let calls = (0..200).map(|n| {
        let connection = connection.clone();
        async move {
            let text = format!("{n}").repeat(n);
            assert_eq!(connection.call(&header(), &Echo { text: text.clone() }, LONG).await.unwrap(), text);
        }
    });
    futures::future::join_all(calls).await;
    assert_eq!(connection.call(&header(), &CallBack {}, LONG).await.unwrap(), "s3cret");
    assert_eq!((connection.peer().name.as_str(), connection.peer().role), ("host", Role::Server));
}

#[tokio::test]
async fn large_bodies_travel_and_too_large_ones_are_refused_alone() {
    let host = host().await;
    let connection = host.dial().await;
    let most = Limits::default().request_bytes;
    let text = "x".repeat(most - 100);
    assert_eq!(connection.call(&header(), &Echo { text: text.clone() }, LONG).await.unwrap(), text);
    let error = connection.call(&header(), &Echo { text: "x".repeat(most) }, LONG).await.unwrap_err();
    assert_eq!(error.status, 413);
    assert_eq!(connection.call(&header(), &Echo { text: "still here".into() }, LONG).await.unwrap(), "still here");
}

#[tokio::test]
async fn only_who_dialled_takes_replies_of_any_length() {
    let host = host().await;
    let connection = host.dial().await;
    let bytes = Limits::default().reply_bytes + 1;
    assert_eq!(connection.call(&header(), &Fill { bytes }, LONG).await.unwrap().len(), bytes);
    assert_eq!(connection.call(&header(), &FillBack { bytes: 5 }, LONG).await, Ok(5));
    assert_eq!(connection.call(&header(), &FillBack { bytes }, LONG).await.unwrap_err().status, 413);
}

#[tokio::test]
async fn failing_handlers_answer_with_errors() {
    let host = host().await;
    let connection = host.dial().await;
    assert_eq!(connection.call(&header(), &Explode {}, LONG).await.unwrap_err().status, 500);
    let unknown = connection.call_raw("test.nothing", &header(), Bytes::new(), LONG).await.unwrap_err();
    assert_eq!((unknown.status, unknown.message.as_str()), (404, "unknown method \"test.nothing\""));
    let undecodable = connection.call_raw(Echo::NAME, &header(), Bytes::from_static(b"\xc1"), LONG).await.unwrap_err();
    assert_eq!(undecodable.status, 400);
    let mut refused = RawStreamOf::open(&connection, "test.nothing").await;
    assert_eq!(refused.next().await.unwrap().unwrap_err().status, 404);
    assert!(refused.next().await.is_none());
}

type RawStreamOf = ItemStream<()>;

impl RawStreamOf {
    async fn open(connection: &Connection, method: &str) -> Self {
        Self::new(connection.subscribe_raw(method, &header(), Bytes::new()).await.unwrap())
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_stops_the_handler() {
    let host = host().await;
    let connection = host.dial().await;
    let error = connection.call(&header(), &Hang {}, Duration::from_millis(50)).await.unwrap_err();
    assert!(error.is_unavailable() && error.message.contains("test.hang"), "{error}");
    host.seen.dropped.notified().await;
    let mut stream = connection.subscribe(&header(), &Count { size: 1000, fail_after: usize::MAX }).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    host.seen.dropped.notified().await;
    // One that is cancelled before it is sent never runs, or is stopped.
    drop(connection.subscribe(&header(), &Count { size: 1000, fail_after: usize::MAX }).await.unwrap());
    assert_eq!(connection.call(&header(), &Echo { text: "x".into() }, LONG).await.unwrap(), "x");
    connection.close();
    connection.closed().await;
}

#[tokio::test]
async fn streams_that_are_cancelled_at_once_leave_nothing_running() {
    let host = host().await;
    // With room for two calls, streams that ran on would soon keep the last call out.
    let limits = Limits { served_at_a_time: 2, ..Limits::default() };
    let (ours, theirs) = duplex(1 << 16);
    let accepting = Connection::accept_with(Box::new(ours), "pipe", hello("served"), router(&host.seen), limits);
    let dialling = Connection::accept_with(Box::new(theirs), "pipe", hello("calls"), router(&host.seen), limits);
    let (served, connection) = tokio::join!(accepting, dialling);
    let (_served, connection) = (served.unwrap(), connection.unwrap());
    for _ in 0..20 {
        drop(connection.subscribe(&header(), &Count { size: 1 << 20, fail_after: usize::MAX }).await.unwrap());
    }
    while connection.call(&header(), &Echo { text: "x".into() }, LONG).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(connection.call(&header(), &Echo { text: "y".into() }, LONG).await.unwrap(), "y");
}

#[tokio::test]
async fn a_handler_ends_with_its_connection() {
    let host = host().await;
    let connection = host.dial().await;
    let mut stream = connection.subscribe(&header(), &Count { size: 1000, fail_after: usize::MAX }).await.unwrap();
    stream.next().await.unwrap().unwrap();
    connection.close();
    host.seen.dropped.notified().await;
}

#[tokio::test]
async fn a_stream_that_nobody_reads_waits_and_holds_up_nobody() {
    let host = host().await;
    let connection = host.dial().await;
    let (size, count) = (100_000, 40);
    let mut stream = connection.subscribe(&header(), &Count { size, fail_after: count }).await.unwrap();
    // As many as fit the window are sent, then the handler waits; calls go on meanwhile.
    let window = Limits::default().stream_window_bytes as usize;
    while host.seen.sent.load(Ordering::SeqCst) < window / (size + 100) - 1 {
        connection.call(&header(), &Echo { text: "between".into() }, LONG).await.unwrap();
    }
    assert!(host.seen.sent.load(Ordering::SeqCst) <= window / size);
    for n in 0..count {
        assert_eq!(stream.next().await.unwrap().unwrap().0, n);
    }
    assert_eq!(stream.next().await.unwrap().unwrap_err(), Error::not_found("no more"));
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn items_larger_than_the_window_pass_one_by_one() {
    let host = host().await;
    let connection = host.dial().await;
    let mut stream = connection.subscribe(&header(), &Count { size: 3 << 20, fail_after: 3 }).await.unwrap();
    for n in 0..3 {
        assert_eq!(stream.next().await.unwrap().unwrap().0, n);
    }
}

#[tokio::test]
async fn a_stream_in_process_ends_as_one_over_the_network() {
    let seen = Arc::new(Seen::default());
    let body = encode(&Count { size: 1, fail_after: 100 }).unwrap();
    let mut stream: ItemStream<(usize, String)> =
        ItemStream::new(RawStream::local(|sink| router(&seen).subscribe(Count::NAME, Caller::default(), body, sink)));
    for n in 0..100 {
        assert_eq!(stream.next().await.unwrap().unwrap().0, n);
    }
    assert_eq!(stream.next().await.unwrap().unwrap_err().message, "no more");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn when_the_peer_goes_calls_fail_and_handlers_stop() {
    let host = host().await;
    let connection = host.dial().await;
    let hanging = {
        let connection = connection.clone();
        tokio::spawn(async move { connection.call(&header(), &Hang {}, LONG).await })
    };
    host.seen.started.notified().await;
    host.shutdown.cancel();
    let error = hanging.await.unwrap().unwrap_err();
    assert!(error.is_unavailable() && error.message.contains("host"), "{error}");
    host.seen.dropped.notified().await;
    connection.closed().await;
    assert!(connection.call(&header(), &Echo { text: String::new() }, LONG).await.unwrap_err().is_unavailable());
}

#[tokio::test]
async fn dropping_the_last_handle_closes() {
    let host = host().await;
    let connection = host.dial().await;
    let inner = Arc::clone(&connection.handle.inner);
    drop(connection);
    inner.closing.cancelled().await;
}

/// A connection whose other end is this test.
async fn with_raw_peer(limits: Limits) -> (Connection, DuplexStream) {
    let (ours, mut theirs) = duplex(1 << 20);
    write(&mut theirs, Frame::Hello(encode(&hello("raw")).unwrap())).await;
    let connection = Connection::accept_with(Box::new(ours), "pipe", hello("tested"), router(&Arc::default()), limits).await.unwrap();
    (connection, theirs)
}

async fn write(stream: &mut DuplexStream, frame: Frame) {
    let encoded = frame.encode().unwrap();
    stream.write_all(&encoded.head).await.unwrap();
    stream.write_all(&encoded.body).await.unwrap();
}

fn hang(id: u64) -> Frame {
    let head = frame::Head { method: Hang::NAME.into(), region: String::new(), token: SecretText::default(), version: 1 };
    Frame::Request { id, head, body: encode(&Hang {}).unwrap() }
}

#[tokio::test]
async fn what_breaks_the_protocol_closes_the_connection() {
    let stream = || Frame::Subscribe {
        id: 1,
        head: frame::Head { method: Count::NAME.into(), region: String::new(), token: SecretText::default(), version: 1 },
        body: encode(&Count { size: 10_000, fail_after: 1000 }).unwrap(),
    };
    for (name, frames, reason) in [
        ("a second hello", vec![Frame::Hello(Bytes::new())], "twice"),
        ("an id used twice", vec![hang(1), hang(1)], "twice"),
        ("too much credit", vec![stream(), Frame::Credit { id: 1, bytes: u32::MAX }], "window"),
        ("a large request", vec![Frame::Item { id: 1, body: Bytes::from(vec![0; 2 << 20]) }], "frame of"),
    ] {
        let (connection, mut peer) = with_raw_peer(Limits { reply_bytes: 1 << 20, ..Limits::default() }).await;
        let (mut reading, mut writing) = tokio::io::split(&mut peer);
        let all = async {
            for frame in frames {
                let encoded = frame.encode().unwrap();
                // The connection may close before everything is written.
                let _ = writing.write_all(&encoded.head).await;
                let _ = writing.write_all(&encoded.body).await;
            }
            let mut rest = Vec::new();
            let _ = reading.read_to_end(&mut rest).await;
        };
        let ((), closed) = tokio::join!(all, connection.closed());
        assert!(closed.contains(reason), "{name}: {closed}");
    }
}

#[tokio::test]
async fn more_calls_than_allowed_are_refused() {
    let (_connection, mut peer) = with_raw_peer(Limits { served_at_a_time: 2, ..Limits::default() }).await;
    assert!(matches!(frame::read(&mut peer, &Limits::default(), false).await.unwrap(), Some(Frame::Hello(_))));
    for id in 1..=3 {
        write(&mut peer, hang(id)).await;
    }
    let answer = frame::read(&mut peer, &Limits::default(), false).await.unwrap();
    assert!(matches!(&answer, Some(Frame::Reply { id: 3, result: Err(error) }) if error.is_unavailable()), "{answer:?}");
}

#[tokio::test]
async fn another_version_is_refused_by_name() {
    let (ours, mut theirs) = duplex(1 << 16);
    let old = Hello { version: 999, ..hello("newer") };
    write(&mut theirs, Frame::Hello(encode(&old).unwrap())).await;
    let error = Connection::accept(Box::new(ours), "pipe", hello("tested"), router(&Arc::default())).await.unwrap_err();
    assert!(error.to_string().contains("\"newer\" speaks version 999"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up() {
    let (connection, _peer) = with_raw_peer(Limits::default()).await;
    assert!(connection.closed().await.contains("nothing was heard"));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_no_hello_is_given_up() {
    let (ours, _theirs) = duplex(1 << 16);
    let error = Connection::accept(Box::new(ours), "pipe", hello("tested"), router(&Arc::default())).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

#[test]
fn partitions_are_noticed_and_healed_hosts_dial_again() {
    let mut simulation = turmoil::Builder::new().rng_seed(7).simulation_duration(Duration::from_secs(600)).build();
    simulation.host("server", || async {
        let listener = sim::TurmoilNetwork.listen("0.0.0.0:4647").await?;
        serve(listener, hello("server"), router(&Arc::default()), ServeLimits::default(), CancellationToken::new()).await;
        Ok(())
    });
    simulation.client("client", async {
        let network = sim::TurmoilNetwork;
        let dial = || Connection::open(&network, "server:4647", hello("client"), router(&Arc::default()));
        let connection = dial().await?;
        assert_eq!(connection.call(&header(), &CallBack {}, LONG).await?, "s3cret");
        let (sender, mut failed) = mpsc::channel(1);
        let hanging = connection.clone();
        tokio::spawn(async move { sender.send(hanging.call(&header(), &Hang {}, Duration::from_secs(300)).await).await });
        turmoil::partition("client", "server");
        assert!(failed.recv().await.unwrap().unwrap_err().is_unavailable());
        assert!(connection.closed().await.contains("nothing was heard"));
        turmoil::repair("client", "server");
        let again = dial().await?;
        assert_eq!(again.call(&header(), &Echo { text: "healed".into() }, LONG).await?, "healed");
        Ok(())
    });
    simulation.run().unwrap();
}

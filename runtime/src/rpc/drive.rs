//! The task of a connection: reads and writes its frames until it ends.

use std::{
    io,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use drover_model::rpc::VERSION;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, BufWriter},
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    Dispatch, Hello, Limits, Peer, Role,
    connection::{Handle, Inner, Outgoing, hello_frame},
    decode,
    frame::{self, Encoded, Frame},
    serving::Serving,
};
use crate::{network::Stream, tls};

/// Between servers, where much goes at a time.
const BUFFER_BYTES: usize = 64 << 10;
/// For clients, of which there may be many thousands. What is larger goes around the buffer.
const CLIENT_BUFFER_BYTES: usize = 8 << 10;
/// So much is written at a time: each such piece must get through in time, however large the frame.
const WRITE_STEP_BYTES: usize = 256 << 10;
/// After so many keepalive intervals without a sign of life the other end is given up.
const SILENT_INTERVALS: u32 = 3;
/// How long a closing connection may take to send what is buffered.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Says hello and hears it.
pub(super) async fn exchange_hello(stream: &mut Box<dyn Stream>, address: &str, hello: &Hello, limits: &Limits) -> io::Result<Peer> {
    let frame = hello_frame(hello)?;
    stream.write_all(&frame.head).await?;
    stream.write_all(&frame.body).await?;
    stream.flush().await?;
    let refused = |what: String| io::Error::new(io::ErrorKind::InvalidData, format!("{address}: {what}"));
    let theirs: Hello = match frame::read(stream, limits, false).await? {
        Some(Frame::Hello(bytes)) => decode(&bytes).map_err(|error| refused(error.message))?,
        Some(_) => return Err(refused("the other end has not said hello first".into())),
        None => {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{address} has closed the connection before saying hello")));
        }
    };
    if theirs.version != VERSION {
        return Err(refused(format!(
            "{:?} speaks version {} of the messages, this agent {VERSION}: upgrade the older one",
            theirs.name, theirs.version
        )));
    }
    if stream.is_sealed() {
        let certificate = stream.certificate().ok_or_else(|| refused("it has shown no certificate".into()))?;
        tls::check_role(certificate, theirs.role, &theirs.region).map_err(refused)?;
    }
    Ok(Peer { address: address.to_owned(), role: theirs.role, region: theirs.region, name: theirs.name })
}

/// Runs the connection until it ends.
pub(super) async fn run(
    stream: Box<dyn Stream>,
    inner: Arc<Inner>,
    handle: Weak<Handle>,
    dispatch: Arc<dyn Dispatch>,
    outgoing: mpsc::Receiver<Outgoing>,
    control: mpsc::Receiver<Frame>,
) {
    let (reader, writer) = tokio::io::split(stream);
    let buffer = if inner.peer.role == Role::Server { BUFFER_BYTES } else { CLIENT_BUFFER_BYTES };
    let reader = BufReader::with_capacity(buffer, reader);
    let mut writer = Writer { stream: BufWriter::with_capacity(buffer, writer), stall: inner.limits().keepalive * SILENT_INTERVALS };
    let serving = Arc::new(Serving::new(Arc::clone(&inner), handle, dispatch));
    let heard = AtomicBool::new(true);
    let result = tokio::select! {
        result = read_frames(reader, &inner, &serving, &heard) => result,
        result = write_frames(&mut writer, &inner, outgoing, control, &heard) => result,
        () = inner.closing.cancelled() => Ok(()),
    };
    let reason = result.err().map_or_else(|| "the other end has closed it".to_owned(), |error| error.to_string());
    tracing::debug!(peer = %inner.peer, reason, "a connection has ended");
    inner.close(reason);
    inner.fail_waiting();
    serving.stop().await;
    // The other end may be gone: it will notice by itself.
    let _ = timeout(SHUTDOWN_TIMEOUT, writer.stream.shutdown()).await;
    inner.set_closed();
}

async fn read_frames(
    mut reader: BufReader<impl AsyncRead + Unpin>,
    inner: &Inner,
    serving: &Arc<Serving>,
    heard: &AtomicBool,
) -> io::Result<()> {
    while let Some(frame) = frame::read(&mut reader, inner.limits(), inner.dialled).await? {
        heard.store(true, Ordering::Relaxed);
        match frame {
            Frame::Request { id, head, body } => serving.call(id, head, body)?,
            Frame::Subscribe { id, head, body } => serving.subscribe(id, head, body)?,
            Frame::Cancel { id } => serving.cancel(id),
            Frame::Credit { id, bytes } => serving.credit(id, bytes)?,
            Frame::Reply { id, result } => inner.complete(id, result),
            Frame::End { id, result } => inner.complete(id, result.map(|()| Bytes::new())),
            Frame::Item { id, body } => inner.item(id, body)?,
            Frame::Ping => inner.send_control(Frame::Pong),
            Frame::Pong => {}
            Frame::Hello(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "the other end has said hello twice")),
        }
    }
    Ok(())
}

struct Writer<W> {
    stream: BufWriter<W>,
    stall: Duration,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    async fn write(&mut self, frame: &Encoded) -> io::Result<()> {
        for piece in std::iter::once(&frame.head[..]).chain(frame.body.chunks(WRITE_STEP_BYTES)) {
            in_time(self.stall, self.stream.write_all(piece)).await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        in_time(self.stall, self.stream.flush()).await
    }
}

async fn in_time(limit: Duration, work: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, format!("the other end has read nothing for {limit:?}"))))
}

async fn write_frames<W: AsyncWrite + Unpin>(
    writer: &mut Writer<W>,
    inner: &Inner,
    mut outgoing: mpsc::Receiver<Outgoing>,
    mut control: mpsc::Receiver<Frame>,
    heard: &AtomicBool,
) -> io::Result<()> {
    let mut keepalive = interval(inner.limits().keepalive);
    keepalive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silent = 0;
    loop {
        // Only what nothing follows is flushed, so that a burst goes out in few packets.
        if control.is_empty() && outgoing.is_empty() {
            writer.flush().await?;
        }
        tokio::select! {
            biased;
            Some(frame) = control.recv() => writer.write(&frame.encode()?).await?,
            Some(next) = outgoing.recv() => {
                if next.opens.is_none_or(|id| inner.is_waiting(id)) {
                    writer.write(&next.frame).await?;
                }
            }
            _ = keepalive.tick() => {
                silent = if heard.swap(false, Ordering::Relaxed) { 0 } else { silent + 1 };
                if silent > SILENT_INTERVALS {
                    let quiet = inner.limits().keepalive * silent;
                    return Err(io::Error::new(io::ErrorKind::TimedOut, format!("nothing was heard for {quiet:?}")));
                }
                if silent > 0 {
                    writer.write(&Frame::Ping.encode()?).await?;
                }
            }
        }
    }
}

//! `/v1/client/allocation/ID/exec`: a command in a task, over a WebSocket.
//!
//! Frames are JSON objects. Input goes to the command as it comes, beside the output, so that neither waits for the other.

use std::{borrow::Cow, sync::Arc, time::Duration};

use axum::extract::{
    FromRequestParts,
    ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
};
use drover_model::{
    ids::AllocId,
    rpc::{
        Error,
        client::{AllocExec, AllocExecInput, ExecFrame},
    },
};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde::{Deserialize, Serialize};

use super::{
    api::{Api, Opened},
    call::Call,
    reply::Outcome,
};

/// One frame of input.
const MAX_FRAME_BYTES: usize = 1 << 20;
/// How long the caller may take to say who it is, where it announces that.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// The version of the handshake that is understood.
const HANDSHAKE_VERSION: u32 = 1;
/// How often a quiet caller is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(30);
/// How long closing may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// A close frame's reason must fit into a control frame.
const MAX_REASON_BYTES: usize = 120;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Handshake {
    version: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Input {
    stdin: Option<Piece>,
    tty_size: Option<Size>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Piece {
    #[serde(with = "drover_model::json::base64", skip_serializing_if = "Vec::is_empty")]
    data: Vec<u8>,
    #[serde(skip_serializing_if = "is_false")]
    close: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Size {
    height: u16,
    width: u16,
}

#[derive(Debug, Default, Serialize)]
struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout: Option<Piece>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stderr: Option<Piece>,
    #[serde(skip_serializing_if = "is_false")]
    exited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Exited>,
}

#[derive(Debug, Default, Serialize)]
struct Exited {
    /// Left out when it is 0.
    #[serde(skip_serializing_if = "is_zero")]
    exit_code: i32,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &i32) -> bool {
    *value == 0
}

pub(super) async fn exec(mut call: Call, id: AllocId) -> Outcome {
    call.only_get()?;
    let task = call.param("task").filter(|task| !task.is_empty()).ok_or_else(|| Error::bad_request("must provide task name"))?.to_owned();
    let command: Vec<String> = serde_json::from_str(call.param("command").unwrap_or_default())
        .map_err(|error| Error::bad_request(format!("command is not a JSON array of strings: {error}")))?;
    if command.is_empty() {
        return Err(Error::bad_request("must provide a command"));
    }
    let (tty, handshake) = (call.flag("tty")?, call.flag("ws_handshake")?);
    let session: String = call.api.random().id_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let message = AllocExec { alloc_id: id, task, command, tty, session };
    let upgrade = upgrade(&mut call).await?;
    let api = Arc::clone(&call.api);
    Ok(upgrade.max_message_size(MAX_FRAME_BYTES).on_upgrade(move |socket| async move { serve(socket, api, message, handshake).await }))
}

/// The request's own wish to become a WebSocket.
async fn upgrade(call: &mut Call) -> Result<WebSocketUpgrade, Error> {
    let refused = |error: &dyn std::fmt::Display| Error::bad_request(format!("exec speaks over a WebSocket: {error}"));
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = call.method.clone();
    parts.headers = call.headers.clone();
    if let Some(upgrade) = call.take_upgrade() {
        parts.extensions.insert(upgrade);
    }
    WebSocketUpgrade::from_request_parts(&mut parts, &()).await.map_err(|error| refused(&error))
}

async fn serve(mut socket: WebSocket, api: Arc<Api>, message: AllocExec, handshake: bool) {
    if handshake && let Err(error) = shake_hands(&mut socket).await {
        return close(&mut socket, &error).await;
    }
    let (id, session) = (message.alloc_id, message.session.clone());
    let mut opened = match api.stream_allocation(id, message).await {
        Ok(opened) => opened,
        Err(error) => return close(&mut socket, &error).await,
    };
    let (mut out, input) = socket.split();
    // Whichever ends first ends both: who has gone reads no more, and a command that has ended takes no input. Dropping its stream ends the command.
    let ended = tokio::select! {
        ended = send_output(&mut opened, &mut out) => ended,
        ended = take_input(input, &api, id, session) => ended,
    };
    let frame = match ended {
        Ok(()) => CloseFrame { code: close_code::NORMAL, reason: "".into() },
        Err(error) => refusal(&error),
    };
    let _ = tokio::time::timeout(CLOSE_WITHIN, out.send(Message::Close(Some(frame)))).await;
}

async fn shake_hands(socket: &mut WebSocket) -> Result<(), Error> {
    let late = |_| Error::bad_request(format!("no handshake within {HANDSHAKE_WITHIN:?}"));
    let first = tokio::time::timeout(HANDSHAKE_WITHIN, socket.recv()).await.map_err(late)?;
    let Some(Ok(Message::Text(text))) = first else { return Err(Error::bad_request("the first frame is not a handshake")) };
    let hello: Handshake = serde_json::from_str(&text).map_err(|error| Error::bad_request(format!("handshake: {error}")))?;
    match hello.version {
        HANDSHAKE_VERSION => Ok(()),
        other => Err(Error::bad_request(format!("handshake: version {other} is not known"))),
    }
}

async fn send_output(opened: &mut Opened<ExecFrame>, out: &mut SplitSink<WebSocket, Message>) -> Result<(), Error> {
    let mut ping = tokio::time::interval(PING_EVERY);
    ping.tick().await;
    loop {
        let frame = tokio::select! {
            item = opened.items.next() => match item {
                Some(item) => item?,
                None => return Err(Error::internal("the connection to the node was lost")),
            },
            _ = ping.tick() => {
                send(out, Message::Ping(Vec::new().into())).await?;
                continue;
            }
        };
        let over = frame.exit_code.is_some();
        for output in outputs(frame) {
            let text = serde_json::to_string(&output).map_err(|error| Error::internal(error.to_string()))?;
            send(out, Message::Text(text.into())).await?;
        }
        if over {
            return Ok(());
        }
    }
}

async fn send(out: &mut SplitSink<WebSocket, Message>, message: Message) -> Result<(), Error> {
    out.send(message).await.map_err(|error| Error::unavailable(error.to_string()))
}

/// A frame of the client as the frames of the API, each about one thing.
fn outputs(frame: ExecFrame) -> Vec<Output> {
    let ExecFrame { stdout, stderr, stdout_closed, stderr_closed, exit_code } = frame;
    let piece = |data: Vec<u8>, close: bool| (close || !data.is_empty()).then_some(Piece { data, close });
    let (stdout, stderr) = (piece(stdout, stdout_closed), piece(stderr, stderr_closed));
    let said = stdout.is_some() || stderr.is_some();
    let mut all = Vec::new();
    if said {
        all.push(Output { stdout, stderr, ..Output::default() });
    }
    if let Some(exit_code) = exit_code {
        all.push(Output { exited: true, result: Some(Exited { exit_code }), ..Output::default() });
    }
    all
}

/// Ends when the caller does, which is no failure.
async fn take_input(mut input: SplitStream<WebSocket>, api: &Api, id: AllocId, session: String) -> Result<(), Error> {
    while let Some(Ok(message)) = input.next().await {
        let text: Cow<'_, str> = match &message {
            Message::Text(text) => Cow::Borrowed(text.as_str()),
            Message::Binary(bytes) => String::from_utf8_lossy(bytes),
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return Ok(()),
        };
        let read: Input = serde_json::from_str(&text).map_err(|error| Error::bad_request(format!("a frame of input: {error}")))?;
        let Piece { data, close } = read.stdin.unwrap_or_default();
        let size = read.tty_size.map(|size| (size.height, size.width));
        if data.is_empty() && !close && size.is_none() {
            continue;
        }
        let message = AllocExecInput { session: session.clone(), data, close, size };
        match api.ask_allocation_input(id, message).await {
            // The command has ended; its last words are on their way.
            Err(error) if error.status == 404 => std::future::pending().await,
            taken => taken?,
        }
    }
    Ok(())
}

async fn close(socket: &mut WebSocket, error: &Error) {
    let _ = tokio::time::timeout(CLOSE_WITHIN, socket.send(Message::Close(Some(refusal(error))))).await;
}

/// Failures of the command are the server's, the rest is the caller's.
fn refusal(error: &Error) -> CloseFrame {
    let code = if error.status == 500 { close_code::ERROR } else { close_code::POLICY };
    let end = (0..=error.message.len().min(MAX_REASON_BYTES)).rev().find(|end| error.message.is_char_boundary(*end)).unwrap_or(0);
    CloseFrame { code, reason: error.message[..end].into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_shapes_of_the_api() {
        let text = |frame: ExecFrame| outputs(frame).iter().map(|output| serde_json::to_string(output).unwrap()).collect::<Vec<_>>();
        let data = b"out\n".to_vec();
        assert_eq!(text(ExecFrame { stdout: data.clone(), ..ExecFrame::default() }), [r#"{"stdout":{"data":"b3V0Cg=="}}"#]);
        assert_eq!(text(ExecFrame { stderr_closed: true, ..ExecFrame::default() }), [r#"{"stderr":{"close":true}}"#]);
        assert_eq!(text(ExecFrame { exit_code: Some(3), ..ExecFrame::default() }), [r#"{"exited":true,"result":{"exit_code":3}}"#]);
        assert_eq!(text(ExecFrame { exit_code: Some(0), ..ExecFrame::default() }), [r#"{"exited":true,"result":{}}"#]);
    }

    #[test]
    fn a_reason_fits_into_a_control_frame() {
        let frame = refusal(&Error::internal("ü".repeat(200)));
        assert_eq!((frame.code, frame.reason.len()), (close_code::ERROR, MAX_REASON_BYTES));
        assert_eq!(refusal(&Error::bad_request("no")).code, close_code::POLICY);
    }
}

//! Commands in tasks: `/v1/client/allocation/ID/exec`, a WebSocket.

use drover_model::json::base64;
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use reqwest::{
    Upgraded,
    header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, UPGRADE},
};
use serde::{Deserialize, Serialize};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::client::generate_key, protocol::Role},
};

use crate::client::{Client, Error, segment};

/// A command to run in the surroundings of a task.
#[derive(Clone, Copy, Debug)]
pub struct ExecRequest<'a> {
    pub alloc_id: &'a str,
    pub task: &'a str,
    pub command: &'a [String],
    /// At a terminal of its own, which carries both of its outputs as one.
    pub tty: bool,
}

/// What a command says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecOutput {
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    /// Its exit code: nothing follows.
    Exited(i32),
}

/// What a command is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecInput {
    Data(Vec<u8>),
    /// No more input comes.
    Close,
    /// Of the terminal.
    Size {
        rows: u16,
        columns: u16,
    },
    /// The caller is still there.
    Alive,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Frame {
    stdout: Option<Piece>,
    stderr: Option<Piece>,
    exited: bool,
    result: Exited,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Piece {
    #[serde(with = "base64", skip_serializing_if = "Vec::is_empty")]
    data: Vec<u8>,
    close: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Exited {
    exit_code: i32,
}

#[derive(Debug, Default, Serialize)]
struct Input {
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin: Option<Piece>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tty_size: Option<Size>,
}

#[derive(Debug, Serialize)]
struct Size {
    height: u16,
    width: u16,
}

/// Where a command's output comes from.
#[derive(Debug)]
pub struct ExecReader(SplitStream<WebSocketStream<Upgraded>>);

/// Where its input goes. Dropping both ends the command.
#[derive(Debug)]
pub struct ExecWriter(SplitSink<WebSocketStream<Upgraded>, Message>);

impl Client {
    /// Runs a command in a task.
    pub async fn exec(&self, request: &ExecRequest<'_>) -> Result<(ExecReader, ExecWriter), Error> {
        let path = format!("/v1/client/allocation/{}/exec", segment(request.alloc_id));
        let command = serde_json::to_string(request.command).map_err(|error| answer(&path, &error))?;
        let query = [("task", request.task), ("command", command.as_str()), ("tty", crate::jobs::flag(request.tty))];
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(HeaderName::from_static("sec-websocket-version"), HeaderValue::from_static("13"));
        let key = HeaderValue::try_from(generate_key()).map_err(|error| answer(&path, &error))?;
        headers.insert(HeaderName::from_static("sec-websocket-key"), key);
        let upgraded = self.upgrade(&path, &query, headers).await?;
        let (writer, reader) = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await.split();
        Ok((ExecReader(reader), ExecWriter(writer)))
    }
}

impl ExecReader {
    /// What the command says next; none when it says nothing more without having told its exit code.
    pub async fn next(&mut self) -> Option<Result<ExecOutput, Error>> {
        loop {
            let text = match self.0.next().await? {
                Ok(Message::Text(text)) => text,
                Ok(Message::Close(Some(frame))) if !frame.reason.is_empty() => {
                    return Some(Err(Error::Status { status: 500, message: frame.reason.to_string(), index: 0 }));
                }
                Ok(Message::Close(_)) => return None,
                Ok(_) => continue,
                Err(error) => return Some(Err(answer("exec", &error))),
            };
            let Frame { stdout, stderr, exited, result } = match serde_json::from_str(&text) {
                Ok(frame) => frame,
                Err(error) => return Some(Err(answer("exec", &error))),
            };
            if exited {
                return Some(Ok(ExecOutput::Exited(result.exit_code)));
            }
            match (stdout, stderr) {
                (Some(piece), _) if !piece.data.is_empty() => return Some(Ok(ExecOutput::Stdout(piece.data))),
                (_, Some(piece)) if !piece.data.is_empty() => return Some(Ok(ExecOutput::Stderr(piece.data))),
                _ => {}
            }
        }
    }
}

impl ExecWriter {
    pub async fn send(&mut self, input: ExecInput) -> Result<(), Error> {
        let frame = match input {
            ExecInput::Data(data) => Input { stdin: Some(Piece { data, close: false }), tty_size: None },
            ExecInput::Close => Input { stdin: Some(Piece { data: Vec::new(), close: true }), tty_size: None },
            ExecInput::Size { rows, columns } => Input { stdin: None, tty_size: Some(Size { height: rows, width: columns }) },
            ExecInput::Alive => Input::default(),
        };
        let text = serde_json::to_string(&frame).map_err(|error| answer("exec", &error))?;
        self.0.send(Message::Text(text.into())).await.map_err(|error| answer("exec", &error))
    }
}

fn answer(path: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Answer { path: path.to_owned(), reason: error.to_string() }
}

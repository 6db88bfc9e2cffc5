//! Calls between servers and clients: many at a time over one connection, in both directions.
//!
//! [`Connection`] is one end; both ends can call. What the other end may call here is a [`Dispatch`], usually a [`Router`] of typed handlers. [`serve`] accepts
//! connections.
//!
//! On the wire there are frames, see [`frame`]. A stream's receiver grants the sender how much it may send, so that one that is not read holds up nobody else.

use std::{fmt, time::Duration};

pub use drover_model::rpc::{Error, Method, StreamMethod, decode, encode};
use drover_model::{rpc::VERSION, secret::SecretText};
use serde::{Deserialize, Serialize};

pub use self::{
    connection::Connection,
    listen::{ServeLimits, serve},
    router::{Dispatch, Handle, Router},
    silence::Silence,
    stream::{ItemSink, ItemStream, RawSink, RawStream},
};

mod connection;
mod drive;
mod frame;
mod listen;
mod router;
mod serving;
mod silence;
mod stream;
#[cfg(test)]
mod tests;

/// Messages from here on take so long to read (a part of a millisecond and more) that nothing else is to wait for them.
const LONG_BYTES: usize = 64 << 10;

fn is_long(message: &[u8]) -> bool {
    message.len() >= LONG_BYTES
}

/// What one end of a connection says of itself when it opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    version: u16,
    pub role: Role,
    pub region: String,
    /// For logs: a server's or a node's name.
    pub name: String,
}

impl Hello {
    pub fn new(role: Role, region: impl Into<String>, name: impl Into<String>) -> Self {
        Self { version: VERSION, role, region: region.into(), name: name.into() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Server,
    Client,
    /// An agent that only passes on what its users ask.
    Agent,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `HOST:PORT`, as dialled or as accepted.
    pub address: String,
    pub role: Role,
    pub region: String,
    pub name: String,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Server => "server",
            Role::Client => "client",
            Role::Agent => "agent",
        };
        write!(f, "{role} {:?} at {}", self.name, self.address)
    }
}

/// What goes with every call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Where the call is to be answered; empty is the region of the server that gets it.
    pub region: String,
    pub token: SecretText,
}

/// Who calls. In process (an agent's HTTP route on a server) there is no connection.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// For logs: the peer's address, or empty in process.
    pub address: String,
    pub region: String,
    pub token: SecretText,
    /// To call back. Holding it keeps the connection open.
    pub connection: Option<Connection>,
}

impl Caller {
    /// Somebody in this process.
    pub fn local(header: Header) -> Self {
        Self { address: String::new(), region: header.region, token: header.token, connection: None }
    }

    /// To call somebody else on this caller's behalf.
    pub fn header(&self) -> Header {
        Header { region: self.region.clone(), token: self.token.clone() }
    }
}

/// The bounds of one connection. Both ends must be configured alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub request_bytes: usize,
    /// Of one reply to the end that was dialled, and of one stream item.
    pub reply_bytes: usize,
    /// Of one reply to the end that dialled: a list is as long as what it lists. Whoever dials knows whom it believes.
    pub list_bytes: usize,
    /// Calls and streams that this end serves at a time; more are refused.
    pub served_at_a_time: usize,
    /// Frames that wait to be written; more wait in their callers.
    pub queued_frames: usize,
    /// Bytes of a stream that may be under way or unread.
    pub stream_window_bytes: u32,
    /// How long the opening exchange may take.
    pub hello_timeout: Duration,
    /// How long nothing may be heard until this end asks whether the other is there. After three times as long it is given up.
    pub keepalive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 16 << 20,
            reply_bytes: 64 << 20,
            list_bytes: 1 << 30,
            served_at_a_time: 4096,
            queued_frames: 256,
            stream_window_bytes: 1 << 20,
            hello_timeout: Duration::from_secs(5),
            keepalive: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// Servers send each other what others only get from them: log entries and snapshots.
    fn between(self, one: Role, other: Role) -> Self {
        let servers = one == Role::Server && other == Role::Server;
        Self { request_bytes: if servers { self.request_bytes.max(self.reply_bytes) } else { self.request_bytes }, ..self }
    }

    /// The most bytes of a reply that goes to the end that dialled, or to the other one.
    fn reply_to(&self, dialled: bool) -> usize {
        if dialled { self.list_bytes } else { self.reply_bytes }
    }
}

//! What servers, clients and the HTTP routes say to each other.
//!
//! One struct per method. Its reply and its name belong to it through [`Method`] or [`StreamMethod`]. On the wire every message is MessagePack with named
//! fields, the empty ones left out (see [`crate::lean`]), so that fields may be added; `VERSION` changes when one is taken away or means something else.

use std::{fmt, time::Duration};

pub use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{ids::Name, lean, time::nanos_option};

pub mod allocation;
pub mod autopilot;
pub mod client;
pub mod deployment;
pub mod embedded;
pub mod evaluation;
pub mod event;
pub mod gossip;
pub mod job;
pub mod namespace;
pub mod node;
pub mod nodes;
pub mod operator;
pub mod quota;
pub mod scaling;
pub mod search;
pub mod service;
pub mod snapshot;
pub mod status;
pub mod variable;
pub mod volume;

/// `#[serde(with = "crate::rpc::as_bytes")]`: bytes as such, not as a list of numbers.
pub mod as_bytes {
    use serde::{Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct BytesVisitor;

        impl de::Visitor<'_> for BytesVisitor {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }

            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }

        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

/// The version of the messages. A peer with another one is refused when the connection opens.
pub const VERSION: u16 = 1;

/// A call that has one reply.
///
/// [`method!`](crate::method) writes the encodings, so that their code stands once where a message is declared, not again in each crate that sends it.
pub trait Method: Serialize + DeserializeOwned + Send + Sync + 'static {
    const NAME: &'static str;
    /// The reply is a list: nobody knows how long one is before it is written.
    const LISTS: bool;
    type Reply: Serialize + DeserializeOwned + Send + 'static;

    fn encode(&self) -> Result<Bytes, Error>;
    fn decode(bytes: &[u8]) -> Result<Self, Error>;
    fn encode_reply(reply: &Self::Reply) -> Result<Bytes, Error>;
    fn decode_reply(bytes: &[u8]) -> Result<Self::Reply, Error>;
}

/// A call whose replies come until one of the two ends it.
pub trait StreamMethod: Serialize + DeserializeOwned + Send + Sync + 'static {
    const NAME: &'static str;
    type Item: Serialize + DeserializeOwned + Send + 'static;
}

/// Declares `$message` to be the method `$name` that is answered with `$reply`.
#[macro_export]
macro_rules! method {
    ($message:ty, $name:literal, Read<Vec<$row:ty>>) => {
        $crate::method!(@declare $message, $name, Read<Vec<$row>>, true);
    };
    ($message:ty, $name:literal, $reply:ty) => {
        $crate::method!(@declare $message, $name, $reply, false);
    };
    (@declare $message:ty, $name:literal, $reply:ty, $lists:literal) => {
        impl $crate::rpc::Method for $message {
            const NAME: &'static str = $name;
            const LISTS: bool = $lists;
            type Reply = $reply;

            fn encode(&self) -> ::std::result::Result<$crate::rpc::Bytes, $crate::rpc::Error> {
                $crate::rpc::encode(self)
            }
            fn decode(bytes: &[u8]) -> ::std::result::Result<Self, $crate::rpc::Error> {
                $crate::rpc::decode(bytes)
            }
            fn encode_reply(reply: &Self::Reply) -> ::std::result::Result<$crate::rpc::Bytes, $crate::rpc::Error> {
                $crate::rpc::encode(reply)
            }
            fn decode_reply(bytes: &[u8]) -> ::std::result::Result<Self::Reply, $crate::rpc::Error> {
                $crate::rpc::decode(bytes)
            }
        }
    };
}

/// Declares `$message` to be the stream `$name` of `$item`s.
#[macro_export]
macro_rules! stream_method {
    ($message:ty, $name:literal, $item:ty) => {
        impl $crate::rpc::StreamMethod for $message {
            const NAME: &'static str = $name;
            type Item = $item;
        }
    };
}

/// A message as bytes.
pub fn encode<T: Serialize + DeserializeOwned>(message: &T) -> Result<Bytes, Error> {
    let bytes = lean::to_vec(message).map_err(|error| Error::internal(format!("cannot encode a message: {error}")))?;
    Ok(bytes.into())
}

/// A message from bytes that somebody sent.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    rmp_serde::from_slice(bytes).map_err(|error| Error::bad_request(format!("cannot decode a message: {error}")))
}

/// Why a call failed: a status as in HTTP, and one line for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    pub status: u16,
    pub message: String,
}

impl Error {
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    pub fn forbidden() -> Self {
        Self::new(403, "Permission denied")
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, message)
    }

    /// What the user did wrong where the API answers 500.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, message)
    }

    pub fn no_leader() -> Self {
        Self::new(500, "No cluster leader")
    }

    /// The other end cannot be reached: worth another try.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, message)
    }

    pub fn is_unavailable(&self) -> bool {
        self.status == 503 || self.message == "No cluster leader"
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// How somebody wants to read: what part, how fresh, and whether to wait for a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadOptions {
    pub region: Option<String>,
    /// `*` is every namespace that the caller may read.
    pub namespace: Name,
    /// Wait until the answer's index is above this; 0 answers at once.
    pub min_index: u64,
    #[serde(with = "nanos_option")]
    pub max_wait: Option<Duration>,
    /// Any server may answer, however old its state.
    pub stale: bool,
    /// The leader makes sure that it still is one.
    pub consistent: bool,
    pub prefix: String,
    pub filter: Option<String>,
    pub per_page: u32,
    pub next_token: String,
    pub reverse: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            region: None,
            namespace: "default".into(),
            min_index: 0,
            max_wait: None,
            stale: false,
            consistent: false,
            prefix: String::new(),
            filter: None,
            per_page: 0,
            next_token: String::new(),
            reverse: false,
        }
    }
}

impl ReadOptions {
    pub fn all_namespaces(&self) -> bool {
        &*self.namespace == "*"
    }

    pub fn in_namespace(namespace: &str) -> Self {
        Self { namespace: namespace.into(), ..Self::default() }
    }
}

/// How fresh an answer is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadMeta {
    pub index: u64,
    pub known_leader: bool,
    pub last_contact_ms: u64,
    /// Where the next page starts, when there is one.
    pub next_token: String,
}

/// An answer to a read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read<T> {
    pub meta: ReadMeta,
    pub data: T,
}

//! Frames: what a connection's bytes are cut into.
//!
//! A frame is a length (u32, big endian, of what follows), a kind (u8), the call's id (u64, big endian; 0 where there is none), and the kind's content. Ids
//! are given by whoever calls; `Reply`, `Item` and `End` carry them back.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use drover_model::{rpc::Error, secret::SecretText};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::Limits;
use crate::in_place_if;

const LENGTH_BYTES: usize = 4;
const KIND_AND_ID_BYTES: usize = 9;
/// Of hellos, call headers, errors and everything else but bodies.
const CONTROL_BYTES: usize = 64 << 10;
/// Memory is taken in such steps as a frame's bytes really arrive, not because a peer announces many.
const READ_STEP_BYTES: usize = 256 << 10;
/// From here on it takes long to move what has arrived into more memory.
const MOVED_BYTES: usize = 1 << 20;

/// What a call's frame says beside its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) method: String,
    #[serde(default)]
    pub(super) region: String,
    #[serde(default)]
    pub(super) token: SecretText,
    #[serde(default)]
    pub(super) version: u16,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Frame {
    Hello(Bytes),
    Request {
        id: u64,
        head: Head,
        body: Bytes,
    },
    Subscribe {
        id: u64,
        head: Head,
        body: Bytes,
    },
    Reply {
        id: u64,
        result: Result<Bytes, Error>,
    },
    Item {
        id: u64,
        body: Bytes,
    },
    End {
        id: u64,
        result: Result<(), Error>,
    },
    /// The caller is no longer interested.
    Cancel {
        id: u64,
    },
    /// The receiver of a stream takes so many bytes more.
    Credit {
        id: u64,
        bytes: u32,
    },
    Ping,
    Pong,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hello = 1,
    Request = 2,
    Subscribe = 3,
    ReplyOk = 4,
    ReplyError = 5,
    Item = 6,
    EndOk = 7,
    EndError = 8,
    Cancel = 9,
    Credit = 10,
    Ping = 11,
    Pong = 12,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::Hello,
        Self::Request,
        Self::Subscribe,
        Self::ReplyOk,
        Self::ReplyError,
        Self::Item,
        Self::EndOk,
        Self::EndError,
        Self::Cancel,
        Self::Credit,
        Self::Ping,
        Self::Pong,
    ];

    fn from_byte(byte: u8) -> io::Result<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte).ok_or_else(|| malformed(format!("unknown frame kind {byte}")))
    }

    /// How long the content of such a frame may be that the end takes that `dialled`, or the other one.
    fn limit(self, limits: &Limits, dialled: bool) -> usize {
        match self {
            Self::Request | Self::Subscribe => limits.request_bytes.saturating_add(CONTROL_BYTES),
            Self::ReplyOk => limits.reply_to(dialled),
            Self::Item => limits.reply_bytes,
            Self::Hello | Self::ReplyError | Self::EndOk | Self::EndError | Self::Cancel | Self::Credit | Self::Ping | Self::Pong => {
                CONTROL_BYTES
            }
        }
    }
}

fn malformed(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// A frame ready to be written: what comes before its body, and the body, which is not copied.
pub(super) struct Encoded {
    pub(super) head: Bytes,
    pub(super) body: Bytes,
}

impl Encoded {
    pub(super) fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }
}

fn pack<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    rmp_serde::to_vec_named(value).map_err(io::Error::other)
}

/// An error's text can be of any length; what is cut off would make the frame unreadable.
fn pack_error(error: &Error) -> io::Result<Vec<u8>> {
    let mut end = error.message.len().min(CONTROL_BYTES / 2);
    while !error.message.is_char_boundary(end) {
        end -= 1;
    }
    pack(&Error::new(error.status, &error.message[..end]))
}

impl Frame {
    pub(super) fn encode(self) -> io::Result<Encoded> {
        let nothing = Vec::new;
        let (kind, id, inline, body) = match self {
            Self::Hello(body) => (Kind::Hello, 0, nothing(), body),
            Self::Request { id, head, body } => (Kind::Request, id, with_length(pack(&head)?)?, body),
            Self::Subscribe { id, head, body } => (Kind::Subscribe, id, with_length(pack(&head)?)?, body),
            Self::Reply { id, result: Ok(body) } => (Kind::ReplyOk, id, nothing(), body),
            Self::Reply { id, result: Err(error) } => (Kind::ReplyError, id, pack_error(&error)?, Bytes::new()),
            Self::Item { id, body } => (Kind::Item, id, nothing(), body),
            Self::End { id, result: Ok(()) } => (Kind::EndOk, id, nothing(), Bytes::new()),
            Self::End { id, result: Err(error) } => (Kind::EndError, id, pack_error(&error)?, Bytes::new()),
            Self::Cancel { id } => (Kind::Cancel, id, nothing(), Bytes::new()),
            Self::Credit { id, bytes } => (Kind::Credit, id, bytes.to_be_bytes().to_vec(), Bytes::new()),
            Self::Ping => (Kind::Ping, 0, nothing(), Bytes::new()),
            Self::Pong => (Kind::Pong, 0, nothing(), Bytes::new()),
        };
        let length = u32::try_from(KIND_AND_ID_BYTES + inline.len() + body.len()).map_err(|_| malformed("a frame of more than 4 GiB"))?;
        let mut head = BytesMut::with_capacity(LENGTH_BYTES + KIND_AND_ID_BYTES + inline.len());
        head.put_u32(length);
        head.put_u8(kind as u8);
        head.put_u64(id);
        head.put_slice(&inline);
        Ok(Encoded { head: head.freeze(), body })
    }

    fn decode(kind: Kind, id: u64, mut content: Bytes) -> io::Result<Self> {
        Ok(match kind {
            Kind::Hello => Self::Hello(content),
            Kind::Request => Self::Request { id, head: unpack_head(&mut content)?, body: content },
            Kind::Subscribe => Self::Subscribe { id, head: unpack_head(&mut content)?, body: content },
            Kind::ReplyOk => Self::Reply { id, result: Ok(content) },
            Kind::ReplyError => Self::Reply { id, result: Err(unpack(&content)?) },
            Kind::Item => Self::Item { id, body: content },
            Kind::EndOk => Self::End { id, result: Ok(()) },
            Kind::EndError => Self::End { id, result: Err(unpack(&content)?) },
            Kind::Cancel => Self::Cancel { id },
            Kind::Credit => Self::Credit { id, bytes: content.try_get_u32().map_err(|_| malformed("a credit without its amount"))? },
            Kind::Ping => Self::Ping,
            Kind::Pong => Self::Pong,
        })
    }
}

fn with_length(head: Vec<u8>) -> io::Result<Vec<u8>> {
    if head.len() + LENGTH_BYTES > CONTROL_BYTES {
        return Err(malformed(format!("a call's method, region and token may have {CONTROL_BYTES} bytes in all")));
    }
    let mut bytes = Vec::with_capacity(LENGTH_BYTES + head.len());
    bytes.put_u32(u32::try_from(head.len()).unwrap_or(u32::MAX));
    bytes.extend_from_slice(&head);
    Ok(bytes)
}

fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    rmp_serde::from_slice(bytes).map_err(|error| malformed(error.to_string()))
}

fn unpack_head(content: &mut Bytes) -> io::Result<Head> {
    let length = content.try_get_u32().map_err(|_| malformed("a call without a header"))? as usize;
    if length > content.len() || length > CONTROL_BYTES {
        return Err(malformed(format!("a call's header of {length} bytes")));
    }
    unpack(&content.split_to(length))
}

/// Reads one frame at the end that `dialled`, or at the other one; none when the other end has finished writing.
pub(super) async fn read(reader: &mut (impl AsyncRead + Unpin), limits: &Limits, dialled: bool) -> io::Result<Option<Frame>> {
    let mut start = [0; LENGTH_BYTES + KIND_AND_ID_BYTES];
    match reader.read(&mut start[..1]).await? {
        0 => return Ok(None),
        _ => reader.read_exact(&mut start[1..]).await?,
    };
    let mut start = &start[..];
    let (length, kind, id) = (start.get_u32() as usize, Kind::from_byte(start.get_u8())?, start.get_u64());
    let length = length.checked_sub(KIND_AND_ID_BYTES).ok_or_else(|| malformed(format!("a frame of only {length} bytes")))?;
    let most = kind.limit(limits, dialled);
    if length > most {
        return Err(malformed(format!("a frame of {length} bytes, where {most} is the most")));
    }
    let mut content = BytesMut::new();
    while content.len() < length {
        let step = (length - content.len()).min(READ_STEP_BYTES);
        if content.len() >= READ_STEP_BYTES {
            // Others do not wait for all of a long frame.
            tokio::task::yield_now().await;
        }
        let moves = content.len() >= MOVED_BYTES && content.capacity() - content.len() < step;
        in_place_if(moves, || content.reserve(step));
        if reader.take(step as u64).read_buf(&mut content).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended within a frame"));
        }
    }
    Frame::decode(kind, id, content.freeze()).map(Some)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits() -> Limits {
        Limits { request_bytes: 1 << 20, reply_bytes: 1 << 20, ..Limits::default() }
    }

    fn read_now(mut bytes: &[u8]) -> io::Result<Option<Frame>> {
        futures::executor::block_on(read(&mut bytes, &limits(), false))
    }

    fn bytes_of(frame: Frame) -> Vec<u8> {
        let encoded = frame.encode().unwrap();
        [&encoded.head[..], &encoded.body[..]].concat()
    }

    #[test]
    fn every_kind_reads_what_it_writes() {
        let head = || Head { method: "a.b".into(), region: "global".into(), token: SecretText::new("secret"), version: 1 };
        let body = Bytes::from_static(b"body");
        for frame in [
            Frame::Hello(body.clone()),
            Frame::Request { id: 1, head: head(), body: body.clone() },
            Frame::Subscribe { id: 2, head: head(), body: Bytes::new() },
            Frame::Reply { id: 3, result: Ok(body.clone()) },
            Frame::Reply { id: 4, result: Err(Error::not_found("no")) },
            Frame::Item { id: 5, body },
            Frame::End { id: u64::MAX, result: Ok(()) },
            Frame::End { id: 7, result: Err(Error::forbidden()) },
            Frame::Cancel { id: 8 },
            Frame::Credit { id: 9, bytes: 77 },
            Frame::Ping,
            Frame::Pong,
        ] {
            assert_eq!(read_now(&bytes_of(frame.clone())).unwrap(), Some(frame));
        }
        assert_eq!(read_now(b"").unwrap(), None);
    }

    #[test]
    fn long_error_texts_are_cut_between_characters() {
        let frame = Frame::Reply { id: 1, result: Err(Error::internal("ä".repeat(CONTROL_BYTES))) };
        let Some(Frame::Reply { result: Err(error), .. }) = read_now(&bytes_of(frame)).unwrap() else { panic!("not an error") };
        assert!(error.message.len() > 1000 && error.message.len() <= CONTROL_BYTES / 2);
    }

    #[test]
    fn malformed_frames_are_errors() {
        let length = |n: u32, kind: u8| [&n.to_be_bytes()[..], &[kind], &[0; 8]].concat();
        for (name, bytes) in [
            ("unknown kind", length(9, 99)),
            ("shorter than its head", length(3, 11)),
            ("larger than allowed", length(u32::MAX, 4)),
            ("a large ping", length(1 << 20, 11)),
            ("cut", [length(20, 4), vec![1]].concat()),
            ("header longer than the frame", [length(13, 2), vec![0, 0, 1, 0]].concat()),
            ("no credit", length(9, 10)),
        ] {
            assert!(read_now(&bytes).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0u8..14) {
            let mut framed = u32::try_from(bytes.len() + 9).unwrap().to_be_bytes().to_vec();
            framed.push(kind);
            framed.extend([0; 8]);
            framed.extend(&bytes);
            let _ = read_now(&framed);
            let _ = read_now(&bytes);
        }
    }
}

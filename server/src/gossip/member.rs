//! A member of the pool, and its form in datagrams.

use bytes::{Buf, BufMut};
use foca::{Codec, Header, Identity, Member};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What a server says of itself. Names are short: a datagram has several of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Server {
    #[serde(rename = "i")]
    pub(crate) id: u64,
    /// Grows with each start, and each time that the others have given it up wrongly: the newest counts.
    #[serde(rename = "g")]
    pub(crate) generation: u64,
    #[serde(rename = "n")]
    pub(crate) name: String,
    #[serde(rename = "r")]
    pub(crate) region: String,
    #[serde(rename = "d")]
    pub(crate) datacenter: String,
    /// Where it answers calls.
    #[serde(rename = "c")]
    pub(crate) rpc: String,
    /// Where it takes datagrams.
    #[serde(rename = "u")]
    pub(crate) gossip: String,
    #[serde(rename = "v")]
    pub(crate) version: String,
    /// How many servers it expects to begin a cluster with.
    #[serde(rename = "e")]
    pub(crate) expect: u32,
    #[serde(rename = "f")]
    pub(crate) non_voting: bool,
}

impl Identity for Server {
    type Addr = u64;

    fn renew(&self) -> Option<Self> {
        Some(Self { generation: self.generation + 1, ..self.clone() })
    }

    fn addr(&self) -> u64 {
        self.id
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.generation > adversary.generation
    }
}

/// Each part is its length (16 bits) and its MessagePack, with the names of the fields, so that a later version can have more of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Packed;

/// Why a part of a datagram cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("a part of a datagram cannot be written: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
    #[error("a part of a datagram cannot be read: {0}")]
    Decode(#[from] rmp_serde::decode::Error),
    #[error("a part of a datagram is cut off")]
    CutOff,
    #[error("a part of a datagram does not fit into it")]
    NoRoom,
}

impl Packed {
    fn put(value: &impl Serialize, mut buf: impl BufMut) -> Result<(), Error> {
        let bytes = rmp_serde::to_vec_named(value)?;
        let length = u16::try_from(bytes.len()).map_err(|_| Error::NoRoom)?;
        if buf.remaining_mut() < bytes.len() + 2 {
            return Err(Error::NoRoom);
        }
        buf.put_u16(length);
        buf.put_slice(&bytes);
        Ok(())
    }

    fn take<T: DeserializeOwned>(mut buf: impl Buf) -> Result<T, Error> {
        let length = usize::from(buf.try_get_u16().map_err(|_| Error::CutOff)?);
        if buf.remaining() < length {
            return Err(Error::CutOff);
        }
        Ok(rmp_serde::from_slice(&buf.copy_to_bytes(length))?)
    }
}

impl Codec<Server> for Packed {
    type Error = Error;

    fn encode_header(&mut self, header: &Header<Server>, buf: impl BufMut) -> Result<(), Error> {
        Self::put(header, buf)
    }

    fn decode_header(&mut self, buf: impl Buf) -> Result<Header<Server>, Error> {
        Self::take(buf)
    }

    fn encode_member(&mut self, member: &Member<Server>, buf: impl BufMut) -> Result<(), Error> {
        Self::put(member, buf)
    }

    fn decode_member(&mut self, buf: impl Buf) -> Result<Member<Server>, Error> {
        Self::take(buf)
    }
}

#[cfg(test)]
mod tests {
    use foca::State;

    use super::*;

    #[test]
    fn parts_are_read_as_they_were_written_or_not_at_all() {
        let server = Server { id: 7, generation: 1 << 33, name: "s1".into(), rpc: "10.0.0.1:4647".into(), ..Server::default() };
        let member = Member::new(server, 3, State::Suspect);
        let mut bytes = Vec::new();
        Packed.encode_member(&member, &mut bytes).unwrap();
        Packed.encode_member(&member, &mut bytes).unwrap();
        let mut rest = &bytes[..];
        assert_eq!(Packed.decode_member(&mut rest).unwrap(), member);
        assert_eq!(Packed.decode_member(&mut rest).unwrap(), member);
        assert!(rest.is_empty());
        for length in 0..bytes.len() / 2 {
            assert!(Packed.decode_member(&bytes[..length]).is_err(), "{length}");
        }
        let mut small = [0; 40];
        let mut room = &mut small[..];
        assert!(Packed.encode_member(&member, &mut room).is_err() && room.len() == 40, "nothing of it is there");
    }

    #[test]
    fn the_newest_of_two_counts() {
        let first = Server { id: 7, generation: 1 << 32, ..Server::default() };
        let renewed = first.renew().unwrap();
        let restarted = Server { generation: 2 << 32, ..first.clone() };
        assert!(renewed.win_addr_conflict(&first) && restarted.win_addr_conflict(&renewed) && !first.win_addr_conflict(&renewed));
        assert_eq!(first.addr(), restarted.addr());
    }
}

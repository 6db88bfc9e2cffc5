//! Keys of gossip, and what is sealed with them: AES-GCM with 128, 192 or 256 bits, as the key is long.

use std::fmt;

use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine, prelude::BASE64_STANDARD};
use drover_runtime::Random;

/// What is sealed begins with it.
const SEALED: u8 = 1;
/// What is not.
const PLAIN: u8 = 0;
/// A key that is made here.
const NEW_KEY_BYTES: usize = 32;

/// A key that all servers share.
#[derive(Clone, PartialEq, Eq)]
pub struct GossipKey {
    bytes: Vec<u8>,
}

/// It is a secret.
impl fmt::Debug for GossipKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GossipKey({} bits)", self.bytes.len() * 8)
    }
}

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("a gossip key is 16, 24 or 32 bytes in base64 (`drover operator gossip keyring generate` makes one); this is no base64")]
    Encoding,
    #[error("a gossip key is 16, 24 or 32 bytes in base64 (`drover operator gossip keyring generate` makes one); this has {0}")]
    Length(usize),
}

impl GossipKey {
    /// A key as configurations and commands have it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|_| KeyError::Encoding)?;
        match bytes.len() {
            16 | 24 | 32 => Ok(Self { bytes }),
            other => Err(KeyError::Length(other)),
        }
    }

    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = vec![0; NEW_KEY_BYTES];
        random.fill(&mut bytes);
        Self { bytes }
    }

    /// What [`GossipKey::parse`] reads.
    pub fn to_text(&self) -> String {
        BASE64_STANDARD.encode(&self.bytes)
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        let algorithm = match self.bytes.len() {
            16 => &AES_128_GCM,
            24 => &AES_192_GCM,
            _ => &AES_256_GCM,
        };
        UnboundKey::new(algorithm, &self.bytes).ok().map(LessSafeKey::new)
    }
}

/// Seals a message with the first of `keys`; without one, it is marked as not sealed.
pub(super) fn seal(keys: &[GossipKey], random: &dyn Random, message: &[u8]) -> Option<Vec<u8>> {
    let Some(key) = keys.first() else { return Some([&[PLAIN], message].concat()) };
    let mut nonce = [0; NONCE_LEN];
    random.fill(&mut nonce);
    let mut bytes = message.to_vec();
    key.cipher()?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from([SEALED]), &mut bytes).ok()?;
    Some([&[SEALED], &nonce[..], &bytes].concat())
}

/// Opens what any of `keys` has sealed. With keys, nothing else is taken; without, nothing that is sealed.
pub(super) fn open(keys: &[GossipKey], message: &[u8]) -> Option<Vec<u8>> {
    let (mark, rest) = message.split_first()?;
    match (*mark, keys.is_empty()) {
        (PLAIN, true) => Some(rest.to_vec()),
        (SEALED, false) => {
            let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
            keys.iter().find_map(|key| {
                let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
                let mut bytes = sealed.to_vec();
                let opened = key.cipher()?.open_in_place(nonce, Aad::from([SEALED]), &mut bytes).ok()?.len();
                bytes.truncate(opened);
                Some(bytes)
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use drover_runtime::OsRandom;

    use super::*;

    fn key(byte: u8, length: usize) -> GossipKey {
        GossipKey::parse(&BASE64_STANDARD.encode(vec![byte; length])).unwrap()
    }

    #[test]
    fn keys_are_16_24_or_32_bytes() {
        for (text, want) in [
            ("", Err(KeyError::Length(0))),
            ("c2hvcnQ=", Err(KeyError::Length(5))),
            ("not base64!", Err(KeyError::Encoding)),
            ("AAAAAAAAAAAAAAAAAAAAAA==", Ok(16)),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Ok(24)),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", Ok(32)),
        ] {
            assert_eq!(GossipKey::parse(text).map(|key| key.bytes.len()), want, "{text}");
        }
        let made = GossipKey::generate(&OsRandom);
        assert_eq!(GossipKey::parse(&made.to_text()), Ok(made.clone()));
        assert_eq!(format!("{made:?}"), "GossipKey(256 bits)");
    }

    #[test]
    fn what_is_sealed_is_opened_by_who_has_the_key() {
        let (one, two, small) = (key(1, 32), key(2, 24), key(3, 16));
        let rings: [&[GossipKey]; 5] =
            [&[], std::slice::from_ref(&one), &[two.clone(), one.clone()], std::slice::from_ref(&small), &[small.clone(), two.clone()]];
        let opens = [
            // By: nobody's key, one, two and one, small, small and two.
            [true, false, false, false, false],
            [false, true, true, false, false],
            [false, false, true, false, true],
            [false, false, false, true, true],
            [false, false, false, true, true],
        ];
        for (sender, row) in rings.iter().zip(opens) {
            let sealed = seal(sender, &OsRandom, b"hello").unwrap();
            assert_eq!(sealed.windows(5).any(|part| part == b"hello"), sender.is_empty());
            for (receiver, want) in rings.iter().zip(row) {
                assert_eq!(open(receiver, &sealed).as_deref(), want.then_some(&b"hello"[..]), "{sender:?} to {receiver:?}");
            }
            for place in 0..sealed.len() {
                let mut damaged = sealed.clone();
                damaged[place] ^= 1;
                assert!(sender.is_empty() || open(sender, &damaged).is_none(), "{sender:?}: byte {place}");
            }
            assert!((0..sealed.len()).all(|length| sender.is_empty() || open(sender, &sealed[..length]).is_none()));
        }
    }
}

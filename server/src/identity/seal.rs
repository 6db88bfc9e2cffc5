//! Encryption of what the servers keep for others: AES-256-GCM under a key of the keyring, bound to the name of what it encrypts.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use drover_model::{ids::KeyId, secret::SecretText};
use drover_runtime::Random;
use serde::{Deserialize, Serialize};

use super::StoredKey;

/// Encrypted bytes, and the key they need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    pub key_id: KeyId,
    pub nonce: Vec<u8>,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("key {0} of the keyring has no usable encryption part")]
    BadKey(KeyId),
    #[error("what was encrypted under key {0} cannot be opened: it was damaged, or belongs elsewhere")]
    Damaged(KeyId),
}

/// Encrypts `plain` under `key`. `name` says what it is (a secret's path, say): it opens under no other name.
pub fn seal(key: &StoredKey, name: &str, plain: &[u8], random: &dyn Random) -> Result<Sealed, SealError> {
    let mut nonce = [0; NONCE_LEN];
    random.fill(&mut nonce);
    let mut bytes = plain.to_vec();
    cipher(key)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name.as_bytes()), &mut bytes)
        .map_err(|_| SealError::BadKey(key.id))?;
    Ok(Sealed { key_id: key.id, nonce: nonce.to_vec(), bytes })
}

/// Decrypts what [`seal`] encrypted under the same key and name.
pub fn open(key: &StoredKey, name: &str, sealed: &Sealed) -> Result<Vec<u8>, SealError> {
    let nonce = Nonce::try_assume_unique_for_key(&sealed.nonce).map_err(|_| SealError::Damaged(key.id))?;
    let mut bytes = sealed.bytes.clone();
    let length = cipher(key)?.open_in_place(nonce, Aad::from(name.as_bytes()), &mut bytes).map_err(|_| SealError::Damaged(key.id))?.len();
    bytes.truncate(length);
    Ok(bytes)
}

/// The same for text.
pub fn open_text(key: &StoredKey, name: &str, sealed: &Sealed) -> Result<SecretText, SealError> {
    String::from_utf8(open(key, name, sealed)?).map(SecretText::from).map_err(|_| SealError::Damaged(key.id))
}

fn cipher(key: &StoredKey) -> Result<LessSafeKey, SealError> {
    let bytes = key.encryption_key_bytes().ok_or(SealError::BadKey(key.id))?;
    UnboundKey::new(&AES_256_GCM, &bytes).map(LessSafeKey::new).map_err(|_| SealError::BadKey(key.id))
}

#[cfg(test)]
mod tests {
    use drover_runtime::OsRandom;

    use super::*;
    use crate::identity::Algorithm;

    fn key() -> StoredKey {
        StoredKey::generate(Algorithm::EdDsa, &OsRandom, Default::default()).unwrap()
    }

    #[test]
    fn opens_under_its_own_key_and_name_only() {
        let (ours, other) = (key(), key());
        let sealed = seal(&ours, "secret/a", b"hush", &OsRandom).unwrap();
        assert_eq!(open(&ours, "secret/a", &sealed).unwrap(), b"hush");
        assert!(!sealed.bytes.windows(4).any(|part| part == b"hush"));
        assert_eq!(open(&ours, "secret/b", &sealed), Err(SealError::Damaged(ours.id)));
        assert_eq!(open(&other, "secret/a", &sealed), Err(SealError::Damaged(other.id)));
        for place in [0, sealed.bytes.len() - 1] {
            let mut damaged = sealed.clone();
            damaged.bytes[place] ^= 1;
            assert_eq!(open(&ours, "secret/a", &damaged), Err(SealError::Damaged(ours.id)));
        }
        assert_eq!(open(&ours, "secret/a", &Sealed { nonce: vec![1], ..sealed }), Err(SealError::Damaged(ours.id)));
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        let key = key();
        assert_ne!(seal(&key, "a", b"x", &OsRandom).unwrap().bytes, seal(&key, "a", b"x", &OsRandom).unwrap().bytes);
    }
}

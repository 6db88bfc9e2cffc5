//! Keys of the keyring.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::KeySize,
    signature::{Ed25519KeyPair, KeyPair as _, RsaKeyPair},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use drover_model::{ids::KeyId, secret::SecretText, time::UnixNanos};
use drover_runtime::Random;
use serde::{Deserialize, Serialize};

/// How identities are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    #[default]
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// Whether new things are signed and encrypted with a key. An inactive one still verifies and opens what it signed and encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    #[default]
    Active,
    Inactive,
}

/// The public half of a signing key, in the terms of a JWK (base64url without padding).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PublicKey {
    Rsa { n: String, e: String },
    Ed25519 { x: String },
}

/// A key of the keyring as it stands in the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredKey {
    pub id: KeyId,
    pub algorithm: Algorithm,
    /// PKCS #8 in PEM form.
    pub signing_key: SecretText,
    pub public_key: PublicKey,
    /// 32 bytes in base64: see [`super::seal`].
    pub encryption_key: SecretText,
    pub state: KeyState,
    pub create_time: UnixNanos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key of the keyring could not be made: the cryptography library refused")]
pub struct GenerateError;

impl StoredKey {
    /// Makes a key. An RSA one takes up to some seconds of computing: call it where that blocks nobody.
    ///
    /// An Ed25519 key is drawn from `random` alone, so that a simulation that chooses it replays; an RSA key draws from the operating system.
    pub fn generate(algorithm: Algorithm, random: &dyn Random, now: UnixNanos) -> Result<Self, GenerateError> {
        let (der, public_key) = match algorithm {
            Algorithm::Rs256 => rsa()?,
            Algorithm::EdDsa => ed25519(random)?,
        };
        let mut encryption_key = [0; 32];
        random.fill(&mut encryption_key);
        Ok(Self {
            id: KeyId::from_random(random.id_bytes()),
            algorithm,
            signing_key: pem(&der),
            public_key,
            encryption_key: STANDARD.encode(encryption_key).into(),
            state: KeyState::Active,
            create_time: now,
        })
    }

    pub fn is_active(&self) -> bool {
        self.state == KeyState::Active
    }

    pub(super) fn encryption_key_bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.encryption_key.expose()).ok().filter(|bytes| bytes.len() == 32)
    }
}

fn rsa() -> Result<(Vec<u8>, PublicKey), GenerateError> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| GenerateError)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| GenerateError)?;
    let public = pair.public_key();
    let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let n = number(public.modulus().big_endian_without_leading_zero());
    let e = number(public.exponent().big_endian_without_leading_zero());
    Ok((der.as_ref().to_vec(), PublicKey::Rsa { n, e }))
}

fn ed25519(random: &dyn Random) -> Result<(Vec<u8>, PublicKey), GenerateError> {
    let mut seed = [0; 32];
    random.fill(&mut seed);
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| GenerateError)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| GenerateError)?;
    Ok((der.as_ref().to_vec(), PublicKey::Ed25519 { x: URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()) }))
}

fn pem(der: &[u8]) -> SecretText {
    let base64 = STANDARD.encode(der);
    let mut text = String::from("-----BEGIN PRIVATE KEY-----\n");
    for at in (0..base64.len()).step_by(64) {
        text.push_str(&base64[at..base64.len().min(at + 64)]);
        text.push('\n');
    }
    text.push_str("-----END PRIVATE KEY-----\n");
    text.into()
}

#[cfg(test)]
mod tests {
    use drover_runtime::OsRandom;

    use super::*;

    #[test]
    fn a_key_hides_its_secret_parts() {
        let key = StoredKey::generate(Algorithm::EdDsa, &OsRandom, UnixNanos(7)).unwrap();
        let shown = format!("{key:?}");
        for secret in [key.signing_key.expose(), key.encryption_key.expose(), "BEGIN PRIVATE KEY"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert_eq!(key.encryption_key_bytes().unwrap().len(), 32);
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<StoredKey>(&json).unwrap(), key);
    }
}

//! Signing, and checking what was signed.

use drover_model::secret::SecretText;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};

use super::{Algorithm, Claims, StoredKey, key::PublicKey};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("the keyring has no active key yet: try again")]
    NoKey,
    #[error("key {0} of the keyring cannot sign")]
    BadKey(drover_model::ids::KeyId),
    #[error("the identity is not one of ours, was changed, or has expired")]
    Invalid,
}

impl Algorithm {
    fn of_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// The key that new things are signed and encrypted with: the newest active one.
pub fn active_key<'a>(keys: impl IntoIterator<Item = &'a std::sync::Arc<StoredKey>>) -> Option<&'a std::sync::Arc<StoredKey>> {
    keys.into_iter().filter(|key| key.is_active()).max_by_key(|key| (key.create_time, key.id))
}

/// Signs `claims` as a JWT that names its key.
pub fn sign(key: &StoredKey, claims: &Claims) -> Result<SecretText, SignError> {
    let pem = key.signing_key.expose().as_bytes();
    let encoding = match key.algorithm {
        Algorithm::Rs256 => EncodingKey::from_rsa_pem(pem),
        Algorithm::EdDsa => EncodingKey::from_ed_pem(pem),
    };
    let header = Header { kid: Some(key.id.to_string()), ..Header::new(key.algorithm.of_library()) };
    let signed = encoding.and_then(|encoding| jsonwebtoken::encode(&header, claims, &encoding));
    signed.map(SecretText::from).map_err(|_| SignError::BadKey(key.id))
}

/// Checks that `jwt` was signed by one of `keys` and that its claims hold at `now` (Unix seconds). Says nothing about its audience.
pub fn verify<'a>(keys: impl IntoIterator<Item = &'a std::sync::Arc<StoredKey>>, jwt: &SecretText, now: i64) -> Result<Claims, SignError> {
    let header = jsonwebtoken::decode_header(jwt.expose()).map_err(|_| SignError::Invalid)?;
    let kid = header.kid.ok_or(SignError::Invalid)?;
    let key = keys.into_iter().find(|key| key.id.to_string() == kid).ok_or(SignError::Invalid)?;
    let decoding = match &key.public_key {
        PublicKey::Rsa { n, e } => DecodingKey::from_rsa_components(n, e),
        PublicKey::Ed25519 { x } => DecodingKey::from_ed_components(x),
    };
    let decoding = decoding.map_err(|_| SignError::BadKey(key.id))?;
    // The library would read the machine's clock; the times are checked below against the one that was given.
    let mut validation = Validation::new(key.algorithm.of_library());
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let claims = jsonwebtoken::decode::<Claims>(jwt.expose(), &decoding, &validation).map_err(|_| SignError::Invalid)?.claims;
    if now < claims.nbf || claims.exp.is_some_and(|exp| exp <= now) {
        return Err(SignError::Invalid);
    }
    Ok(claims)
}

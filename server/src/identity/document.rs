//! What anybody may read of the keyring: the public keys, and where they are.

use std::sync::Arc;

use drover_model::rpc::embedded::{Jwk, JwksDocument, OidcDocument};

use super::{Algorithm, StoredKey, key::PublicKey};

/// All public keys, of inactive keys too: what they signed may still be shown around.
pub fn jwks<'a>(keys: impl IntoIterator<Item = &'a Arc<StoredKey>>) -> JwksDocument {
    JwksDocument { keys: keys.into_iter().map(|key| jwk(key)).collect() }
}

fn jwk(key: &StoredKey) -> Jwk {
    let common = Jwk { kid: key.id.to_string(), usage: "sig".to_owned(), ..Jwk::default() };
    match &key.public_key {
        PublicKey::Rsa { n, e } => Jwk { kty: "RSA".to_owned(), alg: "RS256".to_owned(), n: Some(n.clone()), e: Some(e.clone()), ..common },
        PublicKey::Ed25519 { x } => {
            Jwk { kty: "OKP".to_owned(), alg: "EdDSA".to_owned(), crv: Some("Ed25519".to_owned()), x: Some(x.clone()), ..common }
        }
    }
}

/// Describes the servers as an OpenID Connect provider, as which cloud providers accept the identities.
pub fn openid_configuration(issuer: &str, algorithm: Algorithm) -> OidcDocument {
    let algorithm = match algorithm {
        Algorithm::Rs256 => "RS256",
        Algorithm::EdDsa => "EdDSA",
    };
    OidcDocument {
        issuer: issuer.to_owned(),
        jwks_uri: format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/')),
        response_types_supported: vec!["code".to_owned()],
        subject_types_supported: vec!["public".to_owned()],
        id_token_signing_alg_values_supported: vec![algorithm.to_owned()],
    }
}

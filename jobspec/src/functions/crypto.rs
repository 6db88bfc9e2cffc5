//! Hashes and identifiers.

use sha2::{Digest, Sha256, Sha512};

use super::*;

pub(super) const TABLE: &[Function] = &[
    function("bcrypt", &["str"], Some("cost"), |_, _| unsupported("bcrypt")),
    function("rsadecrypt", &["ciphertext", "privatekey"], None, |_, _| unsupported("rsadecrypt")),
    function("sha256", &["str"], None, |_, a| Ok(Value::from(hex(&Sha256::digest(a.text(0)?.as_bytes()))))),
    function("sha512", &["str"], None, |_, a| Ok(Value::from(hex(&Sha512::digest(a.text(0)?.as_bytes()))))),
    function("uuidv4", &[], None, |environment, _| uuidv4(environment)),
    function("uuidv5", &["namespace", "name"], None, |_, a| uuidv5(a)),
];

fn unsupported(name: &str) -> Outcome {
    failure(format!("{name} is not available: keep secrets out of job files and read them in a template instead"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn uuidv4(environment: &Environment<'_>) -> Outcome {
    let Some(random) = environment.random else { return failure("no source of random numbers is available here") };
    let mut bytes = [0; 16];
    random(&mut bytes);
    Ok(Value::from(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()))
}

fn uuidv5(arguments: Arguments<'_>) -> Outcome {
    let (namespace, name) = (arguments.text(0)?, arguments.text(1)?);
    let namespace = match &*namespace {
        "dns" => uuid::Uuid::NAMESPACE_DNS,
        "url" => uuid::Uuid::NAMESPACE_URL,
        "oid" => uuid::Uuid::NAMESPACE_OID,
        "x500" => uuid::Uuid::NAMESPACE_X500,
        other => uuid::Uuid::parse_str(other)
            .map_err(|error| Failure::Argument(0, format!("uuidv5() doesn't support namespace {other} ({error})")))?,
    };
    let mut hash = sha1::Sha1::new();
    hash.update(namespace.as_bytes());
    hash.update(name.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    Ok(Value::from(uuid::Builder::from_sha1_bytes(bytes).into_uuid().to_string()))
}

//! Digests.

use sha2::{Digest, Sha256};

use crate::go::function::{Function, Type};
use crate::go::value::{Text, Value};

use super::string;

const STR: Type = Type::Str;
const BLOCK: usize = 64;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("sha256Hex", &[STR], |_, arguments| Ok(string(hex(&Sha256::digest(bytes(&arguments[0])))))),
    Function::new("md5sum", &[STR], |_, arguments| Ok(string(hex(&md5::Md5::digest(bytes(&arguments[0])))))),
    Function::new("hmacSHA256Hex", &[STR, STR], |_, arguments| Ok(string(hex(&hmac_sha256(bytes(&arguments[1]), bytes(&arguments[0])))))),
];

pub(super) fn bytes(value: &Value) -> &[u8] {
    value.text().map(Text::as_bytes).unwrap_or_default()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A keyed digest as RFC 2104 defines it.
pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

//! The keyring, and what is signed with it: workload identities.
//!
//! A key of the keyring has two parts: one that signs identities, whose public half anybody can fetch ([`document::jwks`]), and one that encrypts what the
//! servers keep for others ([`seal`]). The leader makes the first key when the cluster starts: [`Keyring::ensure`].

pub use claims::Claims;
pub use key::{Algorithm, KeyState, StoredKey};
pub(crate) use keyring::with_key;
pub use keyring::{Keyring, KeyringConfig};
pub use seal::{SealError, Sealed};
pub use stored_ca::StoredCa;

pub mod claims;
pub mod document;
pub mod key;
pub mod keyring;
mod names;
pub mod seal;
pub mod sign;
mod stored_ca;
#[cfg(test)]
mod tests;

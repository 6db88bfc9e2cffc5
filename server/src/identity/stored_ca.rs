//! The row of the embedded certificate authority.

use drover_model::time::UnixNanos;
use serde::{Deserialize, Serialize};

use super::Sealed;

/// The cluster's certificate authority as it stands in the state: its key is encrypted under the keyring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCa {
    pub certificate_pem: String,
    /// The PKCS #8 key in PEM form.
    pub key: Sealed,
    /// Certificates of the authorities before this one, newest first: what they issued is still trusted until it ends.
    pub previous_pem: Vec<String>,
    pub create_time: UnixNanos,
}

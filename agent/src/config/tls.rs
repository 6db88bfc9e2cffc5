//! The `tls` block.

use std::path::PathBuf;

use drover_runtime::tls::Oldest;

use super::{ConfigError, TlsSection, section::Section, set, set_some};

pub(super) fn apply(block: &mut Section, tls: &mut TlsSection) -> Result<(), ConfigError> {
    set(&mut tls.http, block.flag("http")?);
    set(&mut tls.rpc, block.flag("rpc")?);
    set(&mut tls.verify_https_client, block.flag("verify_https_client")?);
    let given = |text: Option<String>| text.filter(|path| !path.is_empty()).map(PathBuf::from);
    set_some(&mut tls.ca_file, given(block.text("ca_file")?));
    set_some(&mut tls.cert_file, given(block.text("cert_file")?));
    set_some(&mut tls.key_file, given(block.text("key_file")?));
    if let Some(word) = block.text("tls_min_version")? {
        tls.oldest = match word.as_str() {
            "" | "tls10" | "tls11" | "tls12" => Oldest::Tls12,
            "tls13" => Oldest::Tls13,
            other => return Err(ConfigError::Conflict(format!("tls.tls_min_version: unknown version {other:?}: use tls12 or tls13"))),
        };
    }
    // Names are always checked, and the cipher suites are all good ones.
    block.accepted(&["verify_server_hostname", "tls_prefer_server_cipher_suites"]);
    if let Some(place) = block.given("tls_cipher_suites") {
        let message = "tls.tls_cipher_suites: suites cannot be chosen; only those without known weaknesses are spoken".to_owned();
        return Err(ConfigError::Invalid { place: place.to_string(), message });
    }
    if block.flag("rpc_upgrade_mode")? == Some(true) {
        return Err(ConfigError::Conflict("tls.rpc_upgrade_mode: calls cannot be sealed and open at the same time".to_owned()));
    }
    Ok(())
}

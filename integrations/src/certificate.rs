//! Certificates that are issued by writing to a secrets engine.

use std::{collections::BTreeMap, fmt, time::Duration};

use drover_model::{secret::SecretText, time::UnixNanos};
use drover_runtime::Random;
use serde_json::Value;
use x509_parser::pem::Pem;

use crate::{Error, Result, Secret, Secrets};

/// A certificate with its key, each part in PEM form and ending in a newline.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    pub certificate_pem: String,
    /// Empty when it came from a file without its key.
    pub private_key_pem: SecretText,
    pub issuing_ca_pem: String,
    pub ca_chain_pem: Vec<String>,
    pub validity: Validity,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("validity", &self.validity).finish_non_exhaustive()
    }
}

/// When a certificate holds, in Unix seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    pub not_before: i64,
    pub not_after: i64,
}

impl Validity {
    /// How long from `now` until it is due for renewal: at 85 to 95 % of its life, so that certificates issued together are not renewed together.
    pub fn renew_after(self, now: UnixNanos, random: &dyn Random) -> Duration {
        let life = u64::try_from(self.not_after.saturating_sub(self.not_before)).unwrap_or(0);
        let at = self.not_before.saturating_add(i64::try_from(life * 85 / 100 + random.below(life / 10 + 1)).unwrap_or(0));
        Duration::from_secs(u64::try_from(at.saturating_sub(now.seconds())).unwrap_or(0))
    }
}

/// Has a certificate issued, as by `pki/issue/ROLE`.
pub async fn issue(secrets: &dyn Secrets, path: &str, parameters: &BTreeMap<String, String>) -> Result<Certificate> {
    let malformed =
        |reason: &str| Error::Malformed { peer: "the certificate authority".to_owned(), call: path.to_owned(), reason: reason.to_owned() };
    let secret = secrets.write(path, parameters).await?.ok_or_else(|| malformed("there is no certificate in the answer"))?;
    from_secret(&secret).ok_or_else(|| malformed("the certificate in the answer cannot be read"))
}

/// Reads the answer of `pki/issue/ROLE` or `pki/sign/ROLE`.
fn from_secret(secret: &Secret) -> Option<Certificate> {
    let certificate_pem = with_newline(secret.text("certificate"));
    Some(Certificate {
        validity: validity(certificate_pem.as_bytes())?,
        private_key_pem: with_newline(secret.text("private_key")).into(),
        issuing_ca_pem: with_newline(secret.text("issuing_ca")),
        ca_chain_pem: chain(secret.data.get("ca_chain")),
        certificate_pem,
    })
}

/// A list of certificates, or (from some servers) one text with all of them.
fn chain(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(with_newline).collect(),
        Some(Value::String(text)) => blocks(text).into_iter().filter(|block| block.contains("CERTIFICATE-----")).collect(),
        _ => Vec::new(),
    }
}

/// Finds a certificate and its key in a file that was written earlier: in PEM form, in any order. None when there is no certificate in it.
pub fn from_file(bytes: &[u8]) -> Option<Certificate> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (keys, certificates): (Vec<String>, Vec<String>) = blocks(text)
        .into_iter()
        .filter(|block| block.contains("CERTIFICATE-----") || block.contains("PRIVATE KEY-----"))
        .partition(|block| block.contains("PRIVATE KEY-----"));
    let certificate_pem = certificates.first()?.clone();
    Some(Certificate {
        validity: validity(certificate_pem.as_bytes())?,
        private_key_pem: keys.into_iter().next().unwrap_or_default().into(),
        issuing_ca_pem: certificates.get(1).cloned().unwrap_or_default(),
        ca_chain_pem: certificates.into_iter().skip(1).collect(),
        certificate_pem,
    })
}

impl Certificate {
    /// All of it in one text, which [`from_file`] reads back.
    pub fn to_file(&self) -> SecretText {
        let chain = if self.ca_chain_pem.is_empty() { std::slice::from_ref(&self.issuing_ca_pem) } else { &self.ca_chain_pem };
        let parts = [self.private_key_pem.expose(), &self.certificate_pem].into_iter().chain(chain.iter().map(String::as_str));
        parts.collect::<String>().into()
    }
}

/// When the first certificate of a PEM text holds.
pub fn validity(pem: &[u8]) -> Option<Validity> {
    let (block, _) = Pem::read(std::io::Cursor::new(pem)).ok()?;
    let certificate = block.parse_x509().ok()?;
    let validity = certificate.validity();
    Some(Validity { not_before: validity.not_before.timestamp(), not_after: validity.not_after.timestamp() })
}

/// The PEM blocks of a text, each with its lines from BEGIN to END and a newline.
fn blocks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines().map(str::trim_end) {
        if line.starts_with("-----BEGIN ") {
            open = Some(String::new());
        }
        if let Some(block) = &mut open {
            block.push_str(line);
            block.push('\n');
            if line.starts_with("-----END ") {
                found.extend(open.take());
            }
        }
    }
    found
}

fn with_newline(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

#[cfg(test)]
mod tests {
    use drover_runtime::OsRandom;

    use super::*;

    #[test]
    fn renewal_is_late_in_life_and_spread() {
        let validity = Validity { not_before: 1_000, not_after: 101_000 };
        for now in [1_000, 50_000] {
            let wait = validity.renew_after(UnixNanos(now * 1_000_000_000), &OsRandom).as_secs() + u64::try_from(now).unwrap();
            assert!((86_000..=96_001).contains(&wait), "{wait}");
        }
        assert_eq!(validity.renew_after(UnixNanos(200_000 * 1_000_000_000), &OsRandom), Duration::ZERO, "a lapsed one is due now");
    }

    #[test]
    fn blocks_are_found_whatever_stands_between() {
        let text = "junk\n-----BEGIN A-----\nx\n-----END A-----\n\nmore\r\n-----BEGIN B-----\r\ny\r\n-----END B-----";
        assert_eq!(blocks(text), ["-----BEGIN A-----\nx\n-----END A-----\n", "-----BEGIN B-----\ny\n-----END B-----\n"]);
        assert!(from_file(b"no certificate here").is_none());
    }

    #[test]
    fn a_chain_is_a_list_or_one_text() {
        let one = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----";
        assert_eq!(chain(Some(&serde_json::json!([one]))), [format!("{one}\n")]);
        assert_eq!(chain(Some(&serde_json::json!(format!("{one}\n{one}\n")))).len(), 2);
        assert!(chain(None).is_empty());
    }
}

//! Vault's answers, read leniently: servers of the same API leave different fields out.

use std::{collections::BTreeMap, time::Duration};

use drover_model::{json::null_is_default, secret::SecretText};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::secrets::{Lease, Secret, SecretAuth, Wrap};

/// The frame around every answer.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    #[serde(deserialize_with = "null_is_default")]
    request_id: String,
    #[serde(deserialize_with = "null_is_default")]
    lease_id: String,
    #[serde(deserialize_with = "null_is_default")]
    lease_duration: u64,
    renewable: bool,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) data: Map<String, Value>,
    #[serde(deserialize_with = "null_is_default")]
    warnings: Vec<String>,
    pub(super) auth: Option<AnswerAuth>,
    wrap_info: Option<AnswerWrap>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AnswerAuth {
    pub(super) client_token: SecretText,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) accessor: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) policies: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    metadata: BTreeMap<String, String>,
    lease_duration: u64,
    renewable: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AnswerWrap {
    token: SecretText,
    ttl: u64,
    creation_time: String,
    wrapped_accessor: String,
}

impl AnswerAuth {
    pub(super) fn lease(&self) -> Lease {
        Lease { duration: Duration::from_secs(self.lease_duration), renewable: self.renewable }
    }
}

impl Answer {
    pub(super) fn lease(&self) -> Lease {
        Lease { duration: Duration::from_secs(self.lease_duration), renewable: self.renewable }
    }

    pub(super) fn into_secret(self) -> Secret {
        let lease = self.lease();
        Secret {
            request_id: self.request_id,
            lease_id: self.lease_id,
            lease,
            data: self.data,
            warnings: self.warnings,
            auth: self.auth.map(|auth| SecretAuth {
                lease: auth.lease(),
                token: auth.client_token,
                accessor: auth.accessor,
                policies: auth.policies,
                metadata: auth.metadata,
            }),
            wrap: self.wrap_info.map(|wrap| Wrap {
                token: wrap.token,
                ttl: Duration::from_secs(wrap.ttl),
                creation_time: wrap.creation_time,
                wrapped_accessor: wrap.wrapped_accessor,
            }),
        }
    }
}

/// The text of a refusal: a list in Vault and OpenBao, one text in RustyVault.
pub(super) fn refusal(body: &[u8]) -> String {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Refusal {
        #[serde(deserialize_with = "null_is_default")]
        errors: Vec<String>,
        #[serde(deserialize_with = "null_is_default")]
        error: String,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) if refusal.errors.is_empty() => refusal.error,
        Ok(refusal) => refusal.errors.iter().map(|text| text.trim()).collect::<Vec<_>>().join("; "),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_every_server_are_read() {
        for (body, text) in [
            (r#"{"errors":["permission denied"]}"#, "permission denied"),
            (r#"{"errors":["1 error occurred:\n\t* a\n\n","b"]}"#, "1 error occurred:\n\t* a; b"),
            (r#"{"error":"Permission denied."}"#, "Permission denied."),
            (r#"{"errors":[]}"#, ""),
            ("<html>", ""),
            ("", ""),
        ] {
            assert_eq!(refusal(body.as_bytes()), text);
        }
    }

    #[test]
    fn an_answer_may_lack_most_fields() {
        let whole = r#"{"request_id":"r","lease_id":"l","renewable":true,"lease_duration":60,"data":{"a":1},"wrap_info":null,"warnings":null,
            "auth":{"client_token":"t","accessor":"a","policies":["p"],"token_policies":["p"],"metadata":null,"lease_duration":30,"renewable":true}}"#;
        let secret = serde_json::from_str::<Answer>(whole).unwrap().into_secret();
        assert_eq!((secret.lease.duration.as_secs(), secret.lease.renewable, secret.lease_id.as_str()), (60, true, "l"));
        assert_eq!(secret.auth.unwrap().lease.duration.as_secs(), 30);
        let small = serde_json::from_str::<Answer>(r#"{"data":null}"#).unwrap().into_secret();
        assert!(small.data.is_empty() && small.auth.is_none());
    }
}

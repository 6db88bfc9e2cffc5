//! The servers' secrets and certificates, in the terms of Vault's.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use drover_model::{
    kv::SecretVersion,
    rpc::node::{CertificateIssue, IssuedCertificate, WorkloadAuth, WorkloadSecretGet, WorkloadSecretList},
    time::UnixNanos,
};
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::{ServerCalls, answer, ask, options, unsupported};
use crate::{Answer, Query, Result, Secret, Secrets, secrets::Lease};

#[derive(Debug)]
pub(super) struct EmbeddedSecrets {
    pub(super) calls: Arc<dyn ServerCalls>,
    pub(super) auth: WorkloadAuth,
}

impl EmbeddedSecrets {
    async fn get(&self, path: &str, version: Option<u64>, query: &Query) -> Result<Answer<Option<Secret>>> {
        let request = WorkloadSecretGet {
            auth: self.auth.clone(),
            options: options(query),
            path: path.trim_matches('/').to_owned(),
            version: version.unwrap_or_default(),
        };
        let read = ask("the read of a secret", query, self.calls.secret_get(request)).await?;
        Ok(answer(read).map(|found| found.map(secret)))
    }
}

impl Secrets for EmbeddedSecrets {
    fn read<'a>(&'a self, path: &'a str, version: Option<u64>) -> BoxFuture<'a, Result<Option<Secret>>> {
        Box::pin(async move { Ok(self.get(path, version, &Query::now()).await?.data) })
    }

    fn watch<'a>(&'a self, path: &'a str, version: Option<u64>, query: &'a Query) -> Option<BoxFuture<'a, Result<Answer<Option<Secret>>>>> {
        Some(Box::pin(self.get(path, version, query)))
    }

    fn write<'a>(&'a self, path: &'a str, data: &'a BTreeMap<String, String>) -> BoxFuture<'a, Result<Option<Secret>>> {
        Box::pin(async move {
            let path = path.trim_matches('/');
            let Some(role) = path.split_once("/issue/").map(|(_, role)| role).filter(|role| !role.is_empty()) else {
                return Err(unsupported(&format!("writing to {path} (only MOUNT/issue/ROLE, for certificates)")));
            };
            let request = CertificateIssue { auth: self.auth.clone(), role: role.to_owned(), parameters: data.clone() };
            let issued = ask("the issue of a certificate", &Query::now(), self.calls.certificate_issue(request)).await?;
            Ok(Some(certificate(issued)))
        })
    }

    fn list<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let query = Query::now();
            let request = WorkloadSecretList { auth: self.auth.clone(), options: options(&query), path: path.to_owned() };
            Ok(ask("the list of secrets", &query, self.calls.secret_list(request)).await?.data)
        })
    }

    fn renew<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<Lease>> {
        Box::pin(async { Err(unsupported("renewing a lease")) })
    }

    fn revoke<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Err(unsupported("revoking a lease")) })
    }
}

/// As the versioned key-value engine answers.
fn secret(found: SecretVersion) -> Secret {
    let fields: Map<String, Value> = found.data.iter().map(|(name, value)| (name.clone(), value.expose().into())).collect();
    let metadata = json!({ "version": found.version, "created_time": rfc3339(found.created), "deletion_time": "", "destroyed": false });
    let data = Map::from_iter([("data".to_owned(), fields.into()), ("metadata".to_owned(), metadata)]);
    Secret { data, ..Secret::default() }
}

/// As the PKI engine answers.
fn certificate(issued: IssuedCertificate) -> Secret {
    let data = json!({
        "certificate": issued.certificate_pem,
        "private_key": issued.private_key_pem.expose(),
        "private_key_type": "ec",
        "issuing_ca": issued.ca_pem,
        "ca_chain": issued.ca_chain_pem,
        "serial_number": issued.serial,
        "expiration": issued.not_after,
    });
    let lease = Lease { duration: Duration::from_secs(u64::try_from(issued.not_after - issued.not_before).unwrap_or(0)), renewable: false };
    match data {
        Value::Object(data) => Secret { data, lease, ..Secret::default() },
        _ => Secret::default(),
    }
}

fn rfc3339(at: UnixNanos) -> String {
    at.to_string()
}

//! A Vault that lets workloads in: a JWT auth method that trusts the cluster's keys, a role, and a policy by which each job reads its own secrets.

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::{Found, Mode, Step, Thing, go, holds};
use crate::{
    Error, Result,
    http::{Call, encode},
    vault::Vault,
};

/// What is set up, under which names.
#[derive(Clone, Debug)]
pub struct VaultSetup {
    pub vault: Vault,
    /// Where the auth method is mounted.
    pub auth_path: String,
    pub role: String,
    pub policy: String,
    /// The key-value mount that jobs read from.
    pub secrets_path: String,
    /// Paths at which every job may have certificates issued, such as `pki/issue/web`.
    pub issue_paths: Vec<String>,
    pub audience: String,
    /// Where the cluster's public keys are, as Vault reaches them.
    pub jwks_url: String,
    /// What that address's certificate chains to, when it is not a public authority.
    pub jwks_ca_pem: Option<String>,
}

impl VaultSetup {
    pub const AUTH_PATH: &str = "jwt-nomad";
    pub const ROLE: &str = "nomad-workloads";
    pub const POLICY: &str = "nomad-workloads";
    pub const SECRETS_PATH: &str = "secret";
    pub const AUDIENCE: &str = "vault.io";

    /// Looks, and does what `mode` says. The steps are in the order in which they were done.
    pub async fn run(&self, mode: Mode) -> Result<Vec<Step>> {
        let kinds = [Kind::Method, Kind::Config, Kind::Policy, Kind::Role];
        go(kinds.into_iter().map(|kind| Box::new(Part { setup: self, kind }) as Box<dyn Thing>).collect(), mode).await
    }

    /// The answer's data; none when there is nothing.
    async fn read(&self, path: &str) -> Result<Option<Value>> {
        let shown = format!("GET {path}");
        match self.vault.call(Call::get(format!("/v1/{path}")), &shown).await {
            Ok(reply) => {
                let answer: Value = self.vault.parse(&shown, &reply.body)?;
                Ok(Some(answer["data"].clone()).filter(|data| !data.is_null()))
            }
            Err(error) if error.is_not_found() => Ok(None),
            // An auth method that is not there cannot be asked about its settings.
            Err(Error::Refused { status: 400, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, path: &str, body: &Value) -> Result<()> {
        self.vault.call(Call::post(format!("/v1/{path}")).json(body), &format!("POST {path}")).await.map(drop)
    }

    async fn delete(&self, path: &str) -> Result<()> {
        self.vault.call(Call::new(reqwest::Method::DELETE, format!("/v1/{path}")), &format!("DELETE {path}")).await.map(drop)
    }

    async fn accessor(&self) -> Result<Option<String>> {
        let methods = self.read("sys/auth").await?.unwrap_or_default();
        let own = &methods[format!("{}/", self.auth_path)];
        Ok(own["accessor"].as_str().map(str::to_owned))
    }

    fn config(&self) -> Value {
        json!({
            "jwks_url": self.jwks_url,
            "jwks_ca_pem": self.jwks_ca_pem.clone().unwrap_or_default(),
            "jwt_supported_algs": ["RS256", "EdDSA"],
            "default_role": self.role,
        })
    }

    fn role(&self) -> Value {
        json!({
            "role_type": "jwt",
            "bound_audiences": [self.audience],
            "user_claim": "/nomad_job_id",
            "user_claim_json_pointer": true,
            "claim_mappings": { "nomad_namespace": "nomad_namespace", "nomad_job_id": "nomad_job_id", "nomad_task": "nomad_task" },
            "token_type": "service",
            "token_policies": [self.policy],
            "token_period": 1800,
            "token_explicit_max_ttl": 0,
        })
    }

    /// Each job reads what is below its own namespace and name.
    fn policy(&self, accessor: &str) -> String {
        let claim = |name: &str| format!("{{{{identity.entity.aliases.{accessor}.metadata.{name}}}}}");
        let (mount, namespace, job) = (&self.secrets_path, claim("nomad_namespace"), claim("nomad_job_id"));
        let rule = |path: String, capabilities: &str| format!("path \"{path}\" {{\n  capabilities = [{capabilities}]\n}}\n");
        let own = [
            rule(format!("{mount}/data/{namespace}/{job}/*"), "\"read\""),
            rule(format!("{mount}/data/{namespace}/{job}"), "\"read\""),
            rule(format!("{mount}/metadata/{namespace}/{job}/*"), "\"list\""),
        ];
        let issued = self.issue_paths.iter().map(|path| rule(path.clone(), "\"create\", \"update\""));
        own.into_iter().chain(issued).collect::<Vec<_>>().join("\n")
    }

    fn method_path(&self) -> String {
        format!("sys/auth/{}", encode(&self.auth_path, "/"))
    }

    fn config_path(&self) -> String {
        format!("auth/{}/config", encode(&self.auth_path, "/"))
    }

    fn role_path(&self) -> String {
        format!("auth/{}/role/{}", encode(&self.auth_path, "/"), encode(&self.role, ""))
    }

    fn policy_path(&self) -> String {
        format!("sys/policies/acl/{}", encode(&self.policy, ""))
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Method,
    Config,
    Policy,
    Role,
}

struct Part<'a> {
    setup: &'a VaultSetup,
    kind: Kind,
}

impl Thing for Part<'_> {
    fn what(&self) -> String {
        let setup = self.setup;
        match self.kind {
            Kind::Method => format!("auth method {:?}", setup.auth_path),
            Kind::Config => format!("configuration of auth method {:?}", setup.auth_path),
            Kind::Policy => format!("policy {:?}", setup.policy),
            Kind::Role => format!("role {:?}", setup.role),
        }
    }

    fn look(&self) -> BoxFuture<'_, Result<Found>> {
        Box::pin(async move {
            let setup = self.setup;
            let accessor = setup.accessor().await?;
            let compared = |found: Option<Value>, wanted: Value| match found {
                None => Found::Missing,
                Some(found) if holds(&found, &wanted) => Found::AsWanted,
                Some(_) => Found::Different,
            };
            Ok(match (self.kind, accessor) {
                (Kind::Method, accessor) => accessor.map_or(Found::Missing, |_| Found::AsWanted),
                (Kind::Policy, accessor) => {
                    let found = setup.read(&setup.policy_path()).await?;
                    compared(found, json!({ "policy": setup.policy(&accessor.unwrap_or_default()) }))
                }
                (Kind::Config | Kind::Role, None) => Found::Missing,
                (Kind::Config, Some(_)) => match setup.read(&setup.config_path()).await? {
                    // A new method answers with nothing but empty fields.
                    Some(found) if found["jwks_url"].as_str().is_none_or(str::is_empty) => Found::Missing,
                    found => compared(found, setup.config()),
                },
                (Kind::Role, Some(_)) => compared(setup.read(&setup.role_path()).await?, setup.role()),
            })
        })
    }

    fn write(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let setup = self.setup;
            match self.kind {
                Kind::Method => setup.write(&setup.method_path(), &json!({ "type": "jwt" })).await,
                Kind::Config => setup.write(&setup.config_path(), &setup.config()).await,
                Kind::Policy => {
                    let accessor = setup.accessor().await?.unwrap_or_default();
                    setup.write(&setup.policy_path(), &json!({ "policy": setup.policy(&accessor) })).await
                }
                Kind::Role => setup.write(&setup.role_path(), &setup.role()).await,
            }
        })
    }

    fn remove(&self) -> Option<BoxFuture<'_, Result<()>>> {
        let path = match self.kind {
            Kind::Method => self.setup.method_path(),
            Kind::Policy => self.setup.policy_path(),
            Kind::Config => return None,
            Kind::Role => self.setup.role_path(),
        };
        Some(Box::pin(async move { self.setup.delete(&path).await }))
    }
}

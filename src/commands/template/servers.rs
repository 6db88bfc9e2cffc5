//! What a template asks of the servers, over an agent's HTTP API.

use std::{sync::Arc, time::Duration};

use drover_agent::render::{Reply, ServerCalls};
use drover_api::{Answer, Client, Error as ApiError};
use drover_model::{
    kv::{KvEntry, SecretVersion},
    rpc::{
        Error, Read, ReadMeta, ReadOptions,
        embedded::SecretName,
        node::{
            CertificateIssue, IssuedCertificate, KvGet, KvList, ServiceInstances, ServiceName, ServiceNames, WorkloadSecretGet,
            WorkloadSecretList,
        },
        variable::{WorkloadVariableGet, WorkloadVariableList},
    },
    service::ServiceRegistration,
    variable::{Variable, VariableMetadata},
};
use serde::{Deserialize, de::DeserializeOwned};

/// How long a question waits for a change when it does not say.
const WAIT: Duration = Duration::from_secs(300);

/// An agent, asked over HTTP.
#[derive(Clone, Debug)]
pub(crate) struct HttpServers(pub(crate) Client);

/// `/v1/services`, by namespace.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NamespaceServices {
    namespace: String,
    services: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    service_name: String,
    tags: Vec<String>,
}

fn refusal(error: ApiError) -> Error {
    match error {
        ApiError::Status { status, message, .. } => Error::new(status, message),
        other => Error::unavailable(other.to_string()),
    }
}

impl HttpServers {
    async fn ask<T: DeserializeOwned>(&self, path: &str, options: &ReadOptions, extra: &[(&str, &str)]) -> Result<Answer<T>, ApiError> {
        let wait = format!("{}ms", options.max_wait.unwrap_or(WAIT).as_millis());
        let index = options.min_index.to_string();
        let mut query = vec![("namespace", &*options.namespace)];
        if options.min_index > 0 {
            query.extend([("index", index.as_str()), ("wait", wait.as_str())]);
        }
        if !options.prefix.is_empty() {
            query.push(("prefix", &options.prefix));
        }
        query.extend_from_slice(extra);
        self.0.get(path, &query).await
    }

    async fn read<T: DeserializeOwned>(&self, path: &str, options: &ReadOptions, extra: &[(&str, &str)]) -> Result<Read<T>, Error> {
        self.ask(path, options, extra).await.map(read).map_err(refusal)
    }

    /// As [`Self::read`]; nothing when there is no such thing.
    async fn read_found<T: DeserializeOwned>(
        &self,
        path: &str,
        options: &ReadOptions,
        extra: &[(&str, &str)],
    ) -> Result<Read<Option<T>>, Error> {
        match self.ask(path, options, extra).await {
            Ok(answer) => Ok(read(Answer { data: Some(answer.data), index: answer.index })),
            // What is missing has an index too, on which one can wait.
            Err(ApiError::Status { status: 404, index, .. }) => Ok(read(Answer { data: None, index })),
            Err(error) => Err(refusal(error)),
        }
    }
}

fn read<T>(answer: Answer<T>) -> Read<T> {
    Read { meta: ReadMeta { index: answer.index, known_leader: true, ..ReadMeta::default() }, data: answer.data }
}

fn named(path: &str, name: &str) -> String {
    format!("/v1/{path}/{}", drover_api::segment(name.trim_start_matches('/')))
}

/// The folder of secrets that a path means, as paths of secrets are stored: without the part that the API of versioned mounts has in them.
fn folder(path: &str) -> String {
    let path = path.trim_matches('/');
    let stored = match path.strip_prefix("secret/").and_then(|rest| rest.strip_prefix("metadata/").or_else(|| rest.strip_prefix("data/"))) {
        Some(rest) => format!("secret/{rest}"),
        None => path.to_owned(),
    };
    stored + "/"
}

/// What stands directly below a folder on the way to `path`: a name, or a folder's name with a slash.
fn child<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(folder)?.split_inclusive('/').next()
}

impl ServerCalls for HttpServers {
    fn kv_get(&self, request: KvGet) -> Reply<'_, Read<Option<Arc<KvEntry>>>> {
        Box::pin(async move {
            let Read { meta, data } = self.read_found::<Vec<Arc<KvEntry>>>(&named("kv", &request.key), &request.options, &[]).await?;
            Ok(Read { meta, data: data.and_then(|entries| entries.into_iter().next()) })
        })
    }

    fn kv_list(&self, request: KvList) -> Reply<'_, Read<Vec<Arc<KvEntry>>>> {
        Box::pin(async move {
            let path = named("kv", &request.prefix);
            let Read { meta, data } = self.read_found(&path, &request.options, &[("recurse", "true")]).await?;
            Ok(Read { meta, data: data.unwrap_or_default() })
        })
    }

    fn service_instances(&self, request: ServiceInstances) -> Reply<'_, Read<Vec<Arc<ServiceRegistration>>>> {
        Box::pin(async move {
            let healthy = if request.healthy { "true" } else { "false" };
            self.read(&named("service", &request.name), &request.options, &[("healthy", healthy)]).await
        })
    }

    fn service_names(&self, request: ServiceNames) -> Reply<'_, Read<Vec<ServiceName>>> {
        Box::pin(async move {
            let Read { meta, data } = self.read::<Vec<NamespaceServices>>("/v1/services", &request.options, &[]).await?;
            let flat = data.into_iter().flat_map(|of| {
                let namespace = of.namespace;
                of.services.into_iter().map(move |one| ServiceName {
                    namespace: namespace.as_str().into(),
                    name: one.service_name.as_str().into(),
                    tags: one.tags,
                })
            });
            Ok(Read { meta, data: flat.collect() })
        })
    }

    fn secret_get(&self, request: WorkloadSecretGet) -> Reply<'_, Read<Option<SecretVersion>>> {
        Box::pin(async move {
            let version = request.version.to_string();
            self.read_found(&named("secret", &request.path), &request.options, &[("version", &version)]).await
        })
    }

    fn secret_list(&self, request: WorkloadSecretList) -> Reply<'_, Read<Vec<String>>> {
        Box::pin(async move {
            let folder = folder(&request.path);
            let options = ReadOptions { prefix: folder.clone(), ..request.options };
            let Read { meta, data } = self.read::<Vec<SecretName>>("/v1/secrets", &options, &[]).await?;
            let mut names: Vec<String> = data.iter().filter_map(|secret| child(&folder, &secret.path)).map(str::to_owned).collect();
            names.dedup();
            Ok(Read { meta, data: names })
        })
    }

    fn variable_get(&self, request: WorkloadVariableGet) -> Reply<'_, Read<Option<Variable>>> {
        Box::pin(async move { self.read_found(&named("var", &request.path), &request.options, &[]).await })
    }

    fn variable_list(&self, request: WorkloadVariableList) -> Reply<'_, Read<Vec<VariableMetadata>>> {
        Box::pin(async move { self.read("/v1/vars", &request.options, &[]).await })
    }

    fn certificate_issue(&self, _: CertificateIssue) -> Reply<'_, IssuedCertificate> {
        let text = "the embedded authority issues certificates to tasks alone; set VAULT_ADDR to have one from a Vault";
        Box::pin(std::future::ready(Err(Error::bad_request(text))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_secrets_show_what_is_directly_below_them() {
        for path in ["secret/default/shop", "secret/metadata/default/shop/", "/secret/data/default/shop"] {
            assert_eq!(folder(path), "secret/default/shop/", "{path}");
        }
        for (path, want) in [
            ("secret/default/shop/config", Some("config")),
            ("secret/default/shop/keys/a", Some("keys/")),
            ("secret/default/shop/", None),
            ("secret/default/shopping/config", None),
        ] {
            assert_eq!(child("secret/default/shop/", path), want, "{path}");
        }
    }
}

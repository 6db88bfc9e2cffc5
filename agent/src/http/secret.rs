//! `/v1/secrets` and `/v1/secret/PATH`: the embedded secrets.

use std::collections::BTreeMap;

use drover_model::{
    kv::SecretVersion,
    rpc::{
        Error,
        embedded::{SecretDelete, SecretGet, SecretList, SecretPut},
    },
    secret::SecretText,
};
use serde::{Deserialize, Serialize};

use super::{
    call::{Call, Verb, invalid_method, unescape},
    reply::Outcome,
};

pub(super) async fn list(call: Call, rest: String) -> Outcome {
    call.list(&rest, |options| SecretList { prefix: options.prefix.clone(), options }).await
}

pub(super) async fn one(call: Call, rest: String) -> Outcome {
    let path = unescape(&rest)?;
    if path.is_empty() {
        return Err(Error::bad_request("missing path of the secret"));
    }
    match call.verb() {
        Verb::Get => {
            let message = SecretGet { options: call.options()?, path, version: call.number("version")?.unwrap_or(0) };
            let read = call.api.backend().call(message).await?;
            call.found_or(read, "secret not found", |version: SecretVersion| version)
        }
        Verb::Write => put(call, path).await,
        Verb::Delete => {
            call.check_region()?;
            let checked = call.api.backend().call(SecretDelete { path }).await?;
            call.written(checked.index, &checked.done)
        }
        Verb::Other => Err(invalid_method()),
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct PutBody {
    data: BTreeMap<String, SecretText>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    path: String,
    version: u64,
}

async fn put(mut call: Call, path: String) -> Outcome {
    call.check_region()?;
    let check = call.number("cas")?;
    let body: PutBody = call.json().await?;
    if body.data.is_empty() {
        return Err(Error::bad_request("Data must hold at least one key"));
    }
    let written = call.api.backend().call(SecretPut { path: path.clone(), data: body.data, check }).await?;
    if !written.done {
        return Err(Error::new(409, format!("the newest version is {}, not the one that cas names", written.version)));
    }
    call.written(written.index, &Written { path, version: written.version })
}

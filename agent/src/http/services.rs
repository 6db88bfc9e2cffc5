//! `/v1/services` and `/v1/service/NAME`: the servers' own catalogue.

use std::collections::BTreeMap;

use drover_model::{
    ids::Name,
    rpc::{
        Error,
        node::{ServiceInstances, ServiceNames},
        service::ServiceDelete,
    },
};
use serde::Serialize;

use super::{
    call::{Call, Verb, invalid_method, unescape},
    reply::{Outcome, nowhere},
};
use crate::rendezvous;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NamespaceServices {
    namespace: Name,
    services: Vec<Named>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    service_name: Name,
    tags: Vec<String>,
}

pub(super) async fn list(call: Call, rest: String) -> Outcome {
    if !rest.is_empty() {
        return nowhere();
    }
    call.only_get()?;
    let read = call.api.backend().call(ServiceNames { options: call.options()? }).await?;
    call.read_reply_as(read, |names| {
        let mut by_namespace: BTreeMap<Name, Vec<Named>> = BTreeMap::new();
        for name in names {
            by_namespace.entry(name.namespace).or_default().push(Named { service_name: name.name, tags: name.tags });
        }
        by_namespace.into_iter().map(|(namespace, services)| NamespaceServices { namespace, services }).collect::<Vec<_>>()
    })
}

pub(super) async fn one(call: Call, rest: String) -> Outcome {
    let (segment, instance) = rest.split_once('/').unwrap_or((&rest, ""));
    let name = unescape(segment)?;
    match (instance, call.verb()) {
        ("", Verb::Get) => instances(call, name).await,
        ("", _) => Err(invalid_method()),
        (instance, Verb::Delete) => {
            call.check_region()?;
            let message = ServiceDelete { namespace: call.namespace(), name, id: unescape(instance)? };
            let reply = call.api.backend().call(message).await?;
            super::reply::done(reply.index)
        }
        _ => Err(invalid_method()),
    }
}

async fn instances(call: Call, name: String) -> Outcome {
    let choose = call.param("choose").map(choice).transpose()?;
    let message = ServiceInstances { options: call.options()?, name, healthy: call.flag("healthy")? };
    let read = call.api.backend().call(message).await?;
    call.read_reply_as(read, |mut found| {
        if let Some((count, key)) = choose {
            rendezvous::choose(&mut found, count, &key, |instance| &instance.id);
        }
        found
    })
}

/// `COUNT|KEY`
fn choice(text: &str) -> Result<(usize, String), Error> {
    let parsed = text.split_once('|').and_then(|(count, key)| Some((count.parse().ok()?, key.to_owned())));
    parsed.filter(|(count, _)| *count > 0).ok_or_else(|| Error::bad_request("choose must be in the form COUNT|KEY with a count above 0"))
}

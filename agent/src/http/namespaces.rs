//! `/v1/namespaces`, `/v1/namespace` and `/v1/namespace/NAME`.

use drover_model::{
    namespace::Namespace,
    rpc::namespace::{NamespaceDelete, NamespaceGet, NamespaceList, NamespacePut},
};

use super::{
    call::{Call, Verb, invalid_method, name_by_path, unescape},
    reply::{Outcome, done},
};

pub(super) async fn list(call: Call, rest: String) -> Outcome {
    call.list(&rest, |options| NamespaceList { options }).await
}

pub(super) async fn one(call: Call, rest: String) -> Outcome {
    call.check_region()?;
    let name = unescape(&rest)?;
    match (name.as_str(), call.verb()) {
        ("", Verb::Write) => put(call, None).await,
        ("", _) => Err(invalid_method()),
        (_, Verb::Get) => {
            let read = call.api.backend().call(NamespaceGet { options: call.options()?, name }).await?;
            call.found_or(read, "Namespace not found", |namespace| namespace)
        }
        (_, Verb::Write) => put(call, Some(name)).await,
        (_, Verb::Delete) => done(call.api.backend().call(NamespaceDelete { name }).await?.index),
        (_, Verb::Other) => Err(invalid_method()),
    }
}

/// `named` is the name in the path, which the body may repeat or leave out.
async fn put(mut call: Call, named: Option<String>) -> Outcome {
    let mut namespace: Namespace = call.json().await?;
    name_by_path(&mut namespace.name, named, "namespace")?;
    done(call.api.backend().call(NamespacePut { namespace }).await?.index)
}

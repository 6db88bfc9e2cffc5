//! `/v1/namespaces` and `/v1/namespace/NAME`. There is one namespace so far.

use drover_model::{
    rpc::{Error, Read, ReadMeta},
    view::NamespaceView,
};

use super::{
    call::{Call, Verb, invalid_method, unescape},
    reply::{Outcome, nowhere},
};

fn default_namespace() -> NamespaceView {
    NamespaceView {
        name: "default".to_owned(),
        description: "Default shared namespace".to_owned(),
        create_index: 1,
        modify_index: 1,
        ..NamespaceView::default()
    }
}

fn meta() -> ReadMeta {
    ReadMeta { index: 1, known_leader: true, ..ReadMeta::default() }
}

pub(super) async fn list(call: Call, rest: String) -> Outcome {
    if !rest.is_empty() {
        return nowhere();
    }
    call.only_get()?;
    call.check_region()?;
    let prefix = call.param("prefix").unwrap_or_default();
    let data: Vec<_> = Some(default_namespace()).into_iter().filter(|namespace| namespace.name.starts_with(prefix)).collect();
    call.read_reply(&Read { meta: meta(), data })
}

pub(super) async fn one(call: Call, rest: String) -> Outcome {
    call.check_region()?;
    let name = unescape(&rest)?;
    match (name.as_str(), call.verb()) {
        (_, Verb::Get) => {
            let found = (name == "default").then(default_namespace);
            call.found_or(Read { meta: meta(), data: found }, "Namespace not found", |namespace| namespace)
        }
        ("default", Verb::Delete) => Err(Error::internal("can not delete default namespace")),
        (_, Verb::Delete) => Err(Error::not_found("Namespace not found")),
        (_, Verb::Write) => Err(Error::new(501, "namespaces other than \"default\" are not supported yet")),
        (_, Verb::Other) => Err(invalid_method()),
    }
}

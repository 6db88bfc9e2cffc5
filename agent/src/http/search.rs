//! `/v1/search`

use drover_model::{
    json::null_is_default,
    rpc::{
        Error, ReadMeta,
        search::{CONTEXTS, Found, Search},
    },
};
use serde::{Deserialize, Serialize};

use super::{
    call::Call,
    reply::{Outcome, nowhere},
};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    #[serde(deserialize_with = "null_is_default")]
    prefix: String,
    #[serde(deserialize_with = "null_is_default")]
    context: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Reply {
    #[serde(flatten)]
    found: Found,
    index: u64,
    known_leader: bool,
    last_contact: u64,
    next_token: String,
}

pub(super) async fn route(mut call: Call, rest: String) -> Outcome {
    if !rest.is_empty() {
        return nowhere();
    }
    call.only_write()?;
    let body: Body = call.json().await?;
    let context = if body.context.is_empty() { "all".to_owned() } else { body.context };
    if context != "all" && !CONTEXTS.contains(&context.as_str()) {
        let known = CONTEXTS.join(" ");
        return Err(Error::internal(format!("context must be one of [{known}] or 'all' for all contexts; got {context:?}")));
    }
    let read = call.api.backend().call(Search { options: call.options()?, prefix: body.prefix, context }).await?;
    let ReadMeta { index, known_leader, last_contact_ms, next_token } = read.meta.clone();
    call.read_reply_as(read, |found| Reply { found, index, known_leader, last_contact: last_contact_ms, next_token })
}

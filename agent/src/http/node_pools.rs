//! `/v1/node/pools` and `/v1/node/pool/NAME...`.

use drover_model::{
    namespace::{ALL_POOL, NodePool},
    rpc::{
        job::JobList,
        namespace::{NodePoolDelete, NodePoolGet, NodePoolList, NodePoolPut},
    },
};

use super::{
    call::{Call, Verb, invalid_method, name_by_path, unescape},
    nodes,
    reply::{Outcome, done, nowhere},
};

pub(super) async fn all(call: Call) -> Outcome {
    match call.verb() {
        Verb::Get => call.read(NodePoolList { options: call.options()? }).await,
        Verb::Write => put(call, None).await,
        Verb::Delete | Verb::Other => Err(invalid_method()),
    }
}

pub(super) async fn one(call: Call, rest: &str) -> Outcome {
    let (segment, action) = rest.split_once('/').unwrap_or((rest, ""));
    let name = unescape(segment)?;
    match (action, call.verb()) {
        ("", Verb::Get) => {
            let read = call.api.backend().call(NodePoolGet { options: call.options()?, name }).await?;
            call.found_or(read, "node pool not found", |pool| pool)
        }
        ("", Verb::Write) => put(call, Some(name).filter(|name| !name.is_empty())).await,
        ("", Verb::Delete) => {
            call.check_region()?;
            done(call.api.backend().call(NodePoolDelete { name }).await?.index)
        }
        ("nodes", Verb::Get) => nodes::in_pool(call, (name != ALL_POOL).then_some(name)).await,
        ("jobs", Verb::Get) => {
            let read = call.api.backend().call(JobList { options: call.options()?, meta: false }).await?;
            call.read_reply_as(read, |jobs| jobs.into_iter().filter(|job| job.node_pool == name).collect::<Vec<_>>())
        }
        ("" | "nodes" | "jobs", _) => Err(invalid_method()),
        _ => nowhere(),
    }
}

async fn put(mut call: Call, named: Option<String>) -> Outcome {
    call.check_region()?;
    let mut pool: NodePool = call.json().await?;
    name_by_path(&mut pool.name, named, "Node pool")?;
    done(call.api.backend().call(NodePoolPut { pool }).await?.index)
}

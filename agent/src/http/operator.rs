//! `/v1/operator/...` and `/v1/system/...`.

use drover_model::rpc::{
    Error, ReadMeta,
    operator::{RaftConfigurationGet, SchedulerConfigGet, SchedulerConfigSet, SchedulerConfigView, SystemGc},
};
use http::Method;
use serde::Serialize;

use super::{
    call::{Call, Verb, invalid_method},
    reply::{Outcome, done, nowhere},
};

pub(super) async fn route(call: Call, rest: String) -> Outcome {
    match (rest.as_str(), call.verb()) {
        ("scheduler/configuration", Verb::Get) => scheduler(call).await,
        ("scheduler/configuration", Verb::Write) => set_scheduler(call).await,
        ("raft/configuration", Verb::Get) => {
            call.check_region()?;
            let configuration = call.api.backend().call(RaftConfigurationGet {}).await?;
            call.json_reply(&configuration)
        }
        ("scheduler/configuration" | "raft/configuration", _) => Err(invalid_method()),
        _ => nowhere(),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SchedulerReply {
    scheduler_config: SchedulerConfigView,
    index: u64,
    known_leader: bool,
    last_contact: u64,
    next_token: String,
}

async fn scheduler(call: Call) -> Outcome {
    let read = call.api.backend().call(SchedulerConfigGet { options: call.options()? }).await?;
    let ReadMeta { index, known_leader, last_contact_ms, next_token } = read.meta.clone();
    call.read_reply_as(read, |config| SchedulerReply {
        scheduler_config: config,
        index,
        known_leader,
        last_contact: last_contact_ms,
        next_token,
    })
}

async fn set_scheduler(mut call: Call) -> Outcome {
    call.check_region()?;
    let check = call.number("cas")?;
    let config: SchedulerConfigView = call.json().await?;
    if !matches!(config.scheduler_algorithm.as_str(), "" | "binpack" | "spread") {
        return Err(Error::bad_request(format!("invalid scheduler algorithm: {}", config.scheduler_algorithm)));
    }
    let reply = call.api.backend().call(SchedulerConfigSet { config, check }).await?;
    call.written(reply.index, &reply)
}

/// `/v1/system/...`, where POST is not the same as PUT.
pub(super) async fn system(call: Call, rest: String) -> Outcome {
    match (rest.as_str(), &call.method) {
        ("gc", &Method::PUT) => {
            call.check_region()?;
            let written = call.api.backend().call(SystemGc {}).await?;
            done(written.index)
        }
        // Summaries are kept with every change, so there is nothing to reconcile.
        ("reconcile/summaries", &Method::PUT) => super::reply::empty(),
        ("gc" | "reconcile/summaries", _) => Err(invalid_method()),
        _ => nowhere(),
    }
}

//! `/v1/operator/...` and `/v1/system/...`.

use drover_model::rpc::{
    Error, ReadMeta,
    autopilot::{AutopilotConfig, AutopilotGet, AutopilotHealthGet, AutopilotSet},
    operator::{
        LeadershipTransfer, RaftConfigurationGet, RaftPeerRemove, SchedulerConfigGet, SchedulerConfigSet, SchedulerConfigView, SystemGc,
        WhichServer,
    },
};
use http::Method;
use serde::Serialize;

mod snapshot;

use super::{
    call::{Call, Verb, invalid_method},
    reply::{Outcome, done, nowhere},
};

pub(super) async fn route(call: Call, rest: String) -> Outcome {
    match (rest.as_str(), call.verb()) {
        ("scheduler/configuration", Verb::Get) => scheduler(call).await,
        ("scheduler/configuration", Verb::Write) => set_scheduler(call).await,
        ("snapshot", Verb::Get) => snapshot::save(call).await,
        ("snapshot", Verb::Write) => snapshot::restore(call).await,
        ("raft/peer", Verb::Delete) => remove_peer(call).await,
        ("raft/transfer-leadership", Verb::Write) => transfer(call).await,
        ("autopilot/configuration", Verb::Get) => {
            call.check_region()?;
            let config = call.api.backend().call(AutopilotGet { stale: call.flag("stale")? }).await?;
            call.json_reply(&config)
        }
        ("autopilot/configuration", Verb::Write) if call.method == Method::PUT => set_autopilot(call).await,
        ("autopilot/health", Verb::Get) => {
            call.check_region()?;
            let health = call.api.backend().call(AutopilotHealthGet {}).await?;
            let mut response = call.json_reply(&health)?;
            if !health.healthy {
                *response.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
            }
            Ok(response)
        }
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

/// The server that the query names.
fn which(call: &Call) -> Result<Option<WhichServer>, Error> {
    let given = |key: &str| call.param(key).filter(|text| !text.is_empty()).map(str::to_owned);
    match (given("id"), given("address")) {
        (Some(_), Some(_)) => Err(Error::bad_request("must specify only one of id or address")),
        (Some(id), None) => Ok(Some(WhichServer::Id(id))),
        (None, Some(address)) => Ok(Some(WhichServer::Address(address))),
        (None, None) => Ok(None),
    }
}

async fn remove_peer(call: Call) -> Outcome {
    call.check_region()?;
    let server = which(&call)?.ok_or_else(|| Error::bad_request("must specify either id or address"))?;
    call.api.backend().call(RaftPeerRemove { server }).await?;
    super::reply::empty()
}

/// What is no id at all is refused in the API's words.
fn check_id(text: &str) -> Result<(), Error> {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let digits = text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    match text.len() {
        36 if groups == [8, 4, 4, 4, 12] && digits => Ok(()),
        36 => Err(Error::bad_request("id must be a uuid: uuid is improperly formatted")),
        _ => Err(Error::bad_request("id must be a uuid: uuid string is wrong length")),
    }
}

async fn transfer(call: Call) -> Outcome {
    call.check_region()?;
    let server = which(&call)?;
    if let Some(WhichServer::Id(id)) = &server {
        check_id(id)?;
    }
    let done = call.api.backend().call(LeadershipTransfer { server }).await?;
    call.json_reply(&done)
}

async fn set_autopilot(mut call: Call) -> Outcome {
    call.check_region()?;
    let check = call.number("cas")?;
    let config: AutopilotConfig = call.json().await?;
    let updated = call.api.backend().call(AutopilotSet { config, check }).await?;
    call.json_reply(&updated)
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

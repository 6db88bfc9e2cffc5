//! `/v1/allocations` and `/v1/allocation/ID...`.

use drover_model::{
    ids::AllocId,
    rpc::allocation::{AllocationGet, AllocationList, AllocationServices, AllocationStop},
    view::AllocationDetail,
};
use serde::Deserialize;

use super::{
    call::{Call, Verb, id, invalid_method},
    reply::{Outcome, nowhere},
};

pub(super) async fn list(call: Call, rest: String) -> Outcome {
    let (resources, task_states) = (call.flag("resources")?, call.param("task_states").is_none() || call.flag("task_states")?);
    call.list(&rest, |options| AllocationList { options, resources, task_states }).await
}

pub(super) async fn one(call: Call, rest: String) -> Outcome {
    let (segment, action) = rest.split_once('/').unwrap_or((&rest, ""));
    match (action, call.verb()) {
        ("", Verb::Get) => {
            let message = AllocationGet { options: call.options()?, id: id("alloc", segment)? };
            let read = call.api.backend().call(message).await?;
            call.found_or(read, "alloc not found", |allocation| AllocationDetail::from(&*allocation))
        }
        ("stop", Verb::Write) => stop(call, segment).await,
        ("services", Verb::Get) => {
            let message = AllocationServices { options: call.options()?, id: id("alloc", segment)? };
            call.read(message).await
        }
        ("" | "stop" | "services", _) => Err(invalid_method()),
        _ => nowhere(),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct StopBody {
    no_shutdown_delay: Option<bool>,
    reschedule: Option<bool>,
}

async fn stop(mut call: Call, segment: &str) -> Outcome {
    call.check_region()?;
    let id: AllocId = id("alloc", segment)?;
    let body: StopBody = call.json_or_default().await?;
    let message = AllocationStop {
        id,
        no_shutdown_delay: call.flag("no_shutdown_delay")? || body.no_shutdown_delay == Some(true),
        reschedule: call.flag("reschedule")? || body.reschedule == Some(true),
    };
    let reply = call.api.backend().call(message).await?;
    call.written(reply.index, &reply)
}

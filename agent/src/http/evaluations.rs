//! `/v1/evaluations` and `/v1/evaluation/ID...`.

use drover_model::rpc::{
    Error, ReadMeta,
    evaluation::{EvaluationAllocations, EvaluationGet, EvaluationList},
};
use serde::Serialize;

use super::{
    call::{Call, Verb, id, invalid_method},
    reply::{Outcome, nowhere},
};

pub(super) async fn list(call: Call, rest: String) -> Outcome {
    match (rest.as_str(), call.verb()) {
        ("", Verb::Get) => call.read(message(&call)?).await,
        ("count", Verb::Get) => count(call).await,
        ("" | "count", _) => Err(invalid_method()),
        _ => nowhere(),
    }
}

fn message(call: &Call) -> Result<EvaluationList, Error> {
    let options = call.options()?;
    let given = |key| call.param(key).filter(|value| !value.is_empty()).map(str::to_owned);
    let (job, status) = (given("job"), given("status"));
    if options.filter.is_some() && (job.is_some() || status.is_some()) {
        return Err(Error::bad_request("Filter expression cannot be used with other filter parameters"));
    }
    Ok(EvaluationList { options, job, status })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Count {
    count: usize,
    index: u64,
    known_leader: bool,
    last_contact: u64,
    next_token: String,
}

async fn count(call: Call) -> Outcome {
    let mut message = message(&call)?;
    message.options.per_page = 0;
    let read = call.api.backend().call(message).await?;
    let ReadMeta { index, known_leader, last_contact_ms, next_token } = read.meta.clone();
    call.read_reply_as(read, |rows| Count { count: rows.len(), index, known_leader, last_contact: last_contact_ms, next_token })
}

pub(super) async fn one(call: Call, rest: String) -> Outcome {
    let (segment, action) = rest.split_once('/').unwrap_or((&rest, ""));
    match (action, call.verb()) {
        ("", Verb::Get) => {
            let related = call.flag("related")?;
            let message = EvaluationGet { options: call.options()?, id: id("eval", segment)?, related };
            let read = call.api.backend().call(message).await?;
            call.found_or(read, "eval not found", |evaluation| evaluation)
        }
        ("allocations", Verb::Get) => {
            let message = EvaluationAllocations { options: call.options()?, id: id("eval", segment)? };
            call.read(message).await
        }
        ("" | "allocations", _) => Err(invalid_method()),
        _ => nowhere(),
    }
}

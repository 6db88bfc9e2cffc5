//! `/v1/scaling/policies` and `/v1/scaling/policy/ID`: what autoscalers read.

use drover_model::rpc::{
    Error,
    scaling::{ScalingPolicyGet, ScalingPolicyList},
};

use super::{
    call::{Call, unescape},
    reply::{Outcome, nowhere},
};

pub(super) async fn route(call: Call, rest: String) -> Outcome {
    call.only_get()?;
    let given = |key: &str| call.param(key).unwrap_or_default().to_owned();
    match rest.split_once('/').unwrap_or((&rest, "")) {
        ("policies", "") => {
            let message = ScalingPolicyList { options: call.options()?, job: given("job"), kind: given("type") };
            call.read(message).await
        }
        ("policy", "") => Err(Error::bad_request("missing policy ID")),
        ("policy", id) => {
            let message = ScalingPolicyGet { options: call.options()?, id: unescape(id)? };
            call.found_or(call.api.backend().call(message).await?, "policy not found", |policy| policy)
        }
        _ => nowhere(),
    }
}

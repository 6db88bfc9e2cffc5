//! `/v1/ca`: the embedded certificate authority.

use drover_model::rpc::embedded::{CaRotate, CaShow};

use super::{
    call::{Call, Verb, invalid_method},
    reply::{Outcome, nowhere},
};

pub(super) async fn route(call: Call, rest: String) -> Outcome {
    call.check_region()?;
    let info = match (rest.as_str(), call.verb()) {
        ("", Verb::Get) => call.api.backend().call(CaShow {}).await?,
        ("rotate", Verb::Write) => call.api.backend().call(CaRotate {}).await?,
        ("" | "rotate", _) => return Err(invalid_method()),
        _ => return nowhere(),
    };
    call.json_reply(&info)
}

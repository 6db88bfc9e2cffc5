//! `/v1/status/...` and `/v1/regions`.

use drover_model::rpc::status::{LeaderGet, PeersGet, RegionList};

use super::{
    call::Call,
    reply::{Outcome, nowhere},
};

pub(super) async fn route(call: Call, rest: String) -> Outcome {
    match rest.as_str() {
        "leader" => {
            call.only_get()?;
            call.check_region()?;
            let leader = call.api.backend().call(LeaderGet {}).await?;
            call.json_reply(&leader)
        }
        "peers" => {
            call.only_get()?;
            call.check_region()?;
            let peers = call.api.backend().call(PeersGet {}).await?;
            call.json_reply(&peers)
        }
        _ => nowhere(),
    }
}

pub(super) async fn regions(call: Call) -> Outcome {
    call.only_get()?;
    let regions = call.api.backend().call(RegionList {}).await?;
    call.json_reply(&regions)
}

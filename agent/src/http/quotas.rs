//! `/v1/quotas`, `/v1/quota-usages`, `/v1/quota`, `/v1/quota/NAME` and `/v1/quota/usage/NAME`.

use drover_model::{
    quota::QuotaSpec,
    rpc::quota::{QuotaDelete, QuotaGet, QuotaList, QuotaPut, QuotaUsageGet, QuotaUsageList},
};

use super::{
    call::{Call, Verb, invalid_method, name_by_path, unescape},
    reply::{Outcome, done},
};

pub(super) async fn list(call: Call, rest: String) -> Outcome {
    call.list(&rest, |options| QuotaList { options }).await
}

pub(super) async fn usages(call: Call, rest: String) -> Outcome {
    call.list(&rest, |options| QuotaUsageList { options }).await
}

pub(super) async fn one(call: Call, rest: String) -> Outcome {
    call.check_region()?;
    if let Some(segment) = rest.strip_prefix("usage/") {
        call.only_get()?;
        let read = call.api.backend().call(QuotaUsageGet { options: call.options()?, name: unescape(segment)? }).await?;
        return call.found_or(read, "quota not found", |usage| usage);
    }
    let name = unescape(&rest)?;
    match (name.as_str(), call.verb()) {
        ("", Verb::Write) => put(call, None).await,
        ("", _) => Err(invalid_method()),
        (_, Verb::Get) => {
            let read = call.api.backend().call(QuotaGet { options: call.options()?, name }).await?;
            call.found_or(read, "quota not found", |quota| quota)
        }
        (_, Verb::Write) => put(call, Some(name)).await,
        (_, Verb::Delete) => done(call.api.backend().call(QuotaDelete { name }).await?.index),
        (_, Verb::Other) => Err(invalid_method()),
    }
}

/// `named` is the name in the path, which the body may repeat or leave out.
async fn put(mut call: Call, named: Option<String>) -> Outcome {
    let mut quota: QuotaSpec = call.json().await?;
    name_by_path(&mut quota.name, named, "quota")?;
    done(call.api.backend().call(QuotaPut { quota }).await?.index)
}

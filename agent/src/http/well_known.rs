//! What anybody may read about the workload identities.

use drover_model::rpc::{
    Error,
    embedded::{Jwks, OidcConfiguration},
};

use super::{call::Call, reply::Outcome};

pub(super) async fn keys(call: Call) -> Outcome {
    call.only_get()?;
    let read = call.api.backend().call(Jwks { options: call.options()? }).await?;
    call.read_reply(&read)
}

pub(super) async fn openid(call: Call) -> Outcome {
    call.only_get()?;
    match call.api.backend().call(OidcConfiguration {}).await? {
        Some(document) => call.json_reply(&document),
        None => Err(Error::not_found("OIDC Discovery endpoint disabled")),
    }
}

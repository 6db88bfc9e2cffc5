//! Workload identities, signed by the servers.

use std::time::Duration;

use drover_model::rpc::node::{IdentityRequest, SignIdentities, SignedIdentity};

use crate::{limits, shared::Shared};

/// Has an identity signed. The servers being away is waited out; a refusal is final.
pub(crate) async fn sign(shared: &Shared, request: IdentityRequest) -> Result<SignedIdentity, String> {
    let mut pause = limits::TOKEN_RETRY_FIRST;
    loop {
        let call = SignIdentities { auth: shared.auth.clone(), requests: vec![request.clone()] };
        let error = match tokio::time::timeout(limits::SERVER_CALL, shared.parts.servers.sign(call)).await {
            Ok(Ok(signed)) => match signed.identities.into_iter().next() {
                Some(answer) => return answer,
                None => "the servers signed nothing".to_owned(),
            },
            Ok(Err(error)) if matches!(error.status, 400 | 404) => return Err(error.message),
            Ok(Err(error)) => error.message,
            Err(_) => "no answer".to_owned(),
        };
        tracing::warn!(alloc = %request.alloc_id, task = request.task, identity = request.identity, error, "an identity was not signed; another attempt follows");
        tokio::time::sleep(pause + shared.runtime.random.jitter(pause)).await;
        pause = (pause * 2).min(limits::TOKEN_RETRY_MOST);
    }
}

/// When to have an identity signed anew: about half way to its end. None: it does not end.
pub(crate) fn renew_after(shared: &Shared, signed: &SignedIdentity) -> Option<Duration> {
    let left = u64::try_from(signed.expires - shared.now().seconds()).ok().filter(|_| signed.expires > 0);
    let half = Duration::from_secs(left? / 2).max(Duration::from_secs(1));
    Some(half.saturating_sub(shared.runtime.random.jitter(half / 5)))
}

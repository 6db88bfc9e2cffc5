//! Identities of services, signed by the servers.

use std::{fmt, sync::Arc, time::Duration};

use drover_client::servers::Servers;
use drover_integrations::{
    Error, Result,
    registry::{ServiceIdentity, ServiceSigner},
};
use drover_model::{
    ids::AllocId,
    rpc::node::{IdentityRequest, NodeAuth, SignIdentities},
    secret::SecretText,
};
use futures::future::BoxFuture;

/// What one signature may take.
const SIGNING: Duration = Duration::from_secs(10);

/// Has the identities of this node's services signed.
pub(crate) struct Signer {
    auth: NodeAuth,
    servers: Arc<dyn Servers>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    pub(crate) fn new(auth: NodeAuth, servers: Arc<dyn Servers>) -> Self {
        Self { auth, servers }
    }
}

impl ServiceSigner for Signer {
    fn sign<'a>(&'a self, allocation: AllocId, identity: &'a ServiceIdentity) -> BoxFuture<'a, Result<SecretText>> {
        Box::pin(async move {
            let request = IdentityRequest {
                alloc_id: allocation,
                task: identity.task.clone(),
                service: identity.service.clone(),
                identity: identity.name.clone(),
                audience: identity.audience.clone(),
                ttl: identity.ttl,
            };
            let call = format!("the signature of identity {:?}", identity.name);
            let peer = || "the servers".to_owned();
            let signing = self.servers.sign(SignIdentities { auth: self.auth.clone(), requests: vec![request] });
            match tokio::time::timeout(SIGNING, signing).await {
                Ok(Ok(signed)) => match signed.identities.into_iter().next() {
                    Some(Ok(signed)) => Ok(signed.jwt),
                    Some(Err(message)) => Err(Error::Refused { peer: peer(), call, status: 400, message }),
                    None => Err(Error::Malformed { peer: peer(), call, reason: "nothing was signed".to_owned() }),
                },
                Ok(Err(error)) => Err(Error::Unreachable { peer: peer(), call, reason: error.message }),
                Err(_) => Err(Error::Timeout { peer: peer(), call, after: SIGNING }),
            }
        })
    }
}

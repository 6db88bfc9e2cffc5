//! The embedded catalogue, key-value store, secrets, certificates and identities: who answers calls about them is [`crate::embedded::Stores`] and the
//! keyring; here it is decided on which server.

use std::sync::Arc;

use drover_model::rpc::{
    Error, Method,
    embedded::{CaRotate, CaShow, Jwks, KvDelete, KvListKeys, KvPut, OidcConfiguration, SecretDelete, SecretGet, SecretList, SecretPut},
    node::{
        CertificateIssue, KvGet, KvList, ServiceInstances, ServiceNames, ServicesRemove, ServicesUpsert, SignIdentities, WorkloadSecretGet,
        WorkloadSecretList,
    },
    variable::{VariableDelete, VariableGet, VariableList, VariableLockChange, VariablePut, WorkloadVariableGet, WorkloadVariableList},
};
use drover_runtime::rpc::{Caller, Handle, Router};

use crate::Server;

/// `Message: part.method`: a read, of the leader unless it may be stale.
macro_rules! reads {
    ($($message:ty: $part:ident.$method:ident;)+) => {$(
        impl Handle<$message> for Server {
            async fn handle(&self, caller: Caller, message: $message) -> Result<<$message as Method>::Reply, Error> {
                if !message.options.stale && let Some(reply) = self.read_elsewhere(&caller, &message, &message.options).await? {
                    return Ok(reply);
                }
                self.check_freshness(&message.options).await?;
                // Who waits for a change must not hold up a server that stops.
                tokio::select! {
                    reply = self.$part().$method(message) => reply.map(|read| self.with_freshness(read)),
                    () = self.stopping() => Err(Error::unavailable("this server is shutting down")),
                }
            }
        }
    )+};
}

/// `Message: part.method`: only the leader does it.
macro_rules! writes {
    ($($message:ty: $part:ident.$method:ident;)+) => {$(
        impl Handle<$message> for Server {
            async fn handle(&self, caller: Caller, message: $message) -> Result<<$message as Method>::Reply, Error> {
                if let Some(leader) = self.leader_elsewhere(&caller).await? {
                    return self.pass_on(&leader, &caller, &message).await;
                }
                self.$part().$method(message).await
            }
        }
    )+};
}

reads! {
    KvGet: stores.kv_get;
    KvList: stores.kv_list;
    KvListKeys: stores.kv_keys;
    SecretGet: stores.secret_get;
    SecretList: stores.secret_list;
    WorkloadSecretGet: stores.workload_secret_get;
    WorkloadSecretList: stores.workload_secret_list;
    VariableGet: stores.variable_get;
    VariableList: stores.variable_list;
    WorkloadVariableGet: stores.workload_variable_get;
    WorkloadVariableList: stores.workload_variable_list;
    ServiceInstances: stores.service_instances;
    ServiceNames: stores.service_names;
    Jwks: keyring.jwks;
}

writes! {
    KvPut: stores.kv_put;
    KvDelete: stores.kv_delete;
    SecretPut: stores.secret_put;
    SecretDelete: stores.secret_delete;
    VariablePut: stores.variable_put;
    VariableDelete: stores.variable_delete;
    VariableLockChange: stores.variable_lock;
    CaShow: stores.ca_show;
    CaRotate: stores.ca_rotate;
    CertificateIssue: stores.certificate_issue;
    ServicesUpsert: stores.services_upsert;
    ServicesRemove: stores.services_remove;
    SignIdentities: keyring.sign;
}

impl Handle<OidcConfiguration> for Server {
    async fn handle(&self, _caller: Caller, message: OidcConfiguration) -> Result<<OidcConfiguration as Method>::Reply, Error> {
        self.keyring().openid_configuration(message).await
    }
}

pub(super) fn router(server: &Arc<Server>) -> Router {
    Router::new()
        .handle::<KvGet>(Arc::clone(server))
        .handle::<KvList>(Arc::clone(server))
        .handle::<KvListKeys>(Arc::clone(server))
        .handle::<KvPut>(Arc::clone(server))
        .handle::<KvDelete>(Arc::clone(server))
        .handle::<SecretGet>(Arc::clone(server))
        .handle::<SecretList>(Arc::clone(server))
        .handle::<SecretPut>(Arc::clone(server))
        .handle::<SecretDelete>(Arc::clone(server))
        .handle::<WorkloadSecretGet>(Arc::clone(server))
        .handle::<WorkloadSecretList>(Arc::clone(server))
        .handle::<VariableGet>(Arc::clone(server))
        .handle::<VariableList>(Arc::clone(server))
        .handle::<WorkloadVariableGet>(Arc::clone(server))
        .handle::<WorkloadVariableList>(Arc::clone(server))
        .handle::<VariablePut>(Arc::clone(server))
        .handle::<VariableDelete>(Arc::clone(server))
        .handle::<VariableLockChange>(Arc::clone(server))
        .handle::<ServiceInstances>(Arc::clone(server))
        .handle::<ServiceNames>(Arc::clone(server))
        .handle::<ServicesUpsert>(Arc::clone(server))
        .handle::<ServicesRemove>(Arc::clone(server))
        .handle::<CaShow>(Arc::clone(server))
        .handle::<CaRotate>(Arc::clone(server))
        .handle::<CertificateIssue>(Arc::clone(server))
        .handle::<SignIdentities>(Arc::clone(server))
        .handle::<Jwks>(Arc::clone(server))
        .handle::<OidcConfiguration>(Arc::clone(server))
}

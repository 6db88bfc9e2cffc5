//! Instances that somebody takes out of the servers' own catalogue by hand.

use drover_model::rpc::{Error, job::Written, service::ServiceDelete};

use super::Desk;
use crate::fsm::command::Command;

pub(super) async fn delete(desk: Desk<'_>, message: ServiceDelete) -> Result<Written, Error> {
    let state = desk.store.snapshot();
    let known = state.service(&message.id).filter(|row| row.namespace == message.namespace && *row.service_name == *message.name);
    if known.is_none() {
        return Err(Error::not_found("service registration not found"));
    }
    let index = desk.proposer.propose(Command::ServicesRemove { ids: vec![message.id] }).await?.accepted()?;
    Ok(Written { index })
}

//! What is done for a task before it starts, and beside it while it runs. Every hook can run twice.

use std::sync::Arc;

use drover_model::{allocation::TaskEvent, job::Task};

use self::token::Keeper;
use super::{Scope, events};
use crate::drivers::Driver;

mod artifacts;
mod consul;
mod directory;
mod identity;
mod templates;
mod token;
mod vault;

/// Why a task cannot start.
#[derive(Debug)]
pub(crate) struct HookError {
    pub(crate) event: Box<TaskEvent>,
    /// The restart policy may try again.
    pub(crate) is_recoverable: bool,
}

impl HookError {
    fn setup(scope: &Scope, text: &str) -> Self {
        Self { event: Box::new(events::setup_failure(scope.now(), text)), is_recoverable: false }
    }
}

/// All of it, in order; returns when the task can start.
pub(crate) async fn prepare(scope: &Arc<Scope>, driver: &dyn Driver) -> Result<(), HookError> {
    let task = scope.task();
    directory::prepare(scope, &task).await?;
    validate(scope, driver)?;
    identity::prepare(scope, &task).await?;
    for keeper in keepers(scope, &task)? {
        keeper.prepare(scope, &task).await?;
    }
    directory::write_payload(scope, &task).await?;
    artifacts::prepare(scope, &task).await?;
    templates::prepare(scope, &task).await
}

/// The tokens that the task has for itself.
fn keepers(scope: &Scope, task: &Task) -> Result<Vec<Keeper>, HookError> {
    Ok(consul::keeper(scope, task)?.into_iter().chain(vault::keeper(scope, task)?).collect())
}

/// A mistake in the driver's settings is told before anything is fetched or waited for.
fn validate(scope: &Arc<Scope>, driver: &dyn Driver) -> Result<(), HookError> {
    let config = super::runner::task_config(scope).config;
    let invalid = |error: crate::drivers::DriverError| HookError {
        event: Box::new(events::failed_validation(scope.now(), &error.text)),
        is_recoverable: false,
    };
    driver.validate(&config).map_err(invalid)
}

/// For a task that was found running: everything that goes on beside it, none of which may stop it.
pub(crate) fn resume(scope: &Arc<Scope>) {
    let resumed = Arc::clone(scope);
    scope.beside(async move {
        let task = resumed.task();
        let hooks = async {
            identity::prepare(&resumed, &task).await?;
            for keeper in keepers(&resumed, &task)? {
                keeper.resume(&resumed, &task).await?;
            }
            templates::resume(&resumed, &task).await
        };
        if let Err(error) = hooks.await {
            tracing::warn!(task = ?resumed, error = %error.event.display_message, "what goes on beside a task could not be taken up again");
            resumed.event(events::hook_failed(resumed.now(), &error.event.display_message));
        }
    });
}

/// After the task's end: what it must not leave behind.
pub(crate) async fn stop(scope: &Arc<Scope>) {
    scope.background.close();
    scope.background.wait().await;
    for keeper in keepers(scope, &scope.task()).unwrap_or_default() {
        keeper.stop(scope).await;
    }
    directory::remove_secrets(scope).await;
}

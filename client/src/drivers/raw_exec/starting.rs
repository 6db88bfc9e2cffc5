//! A start under way, which cannot be taken back once it has begun.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use nix::sys::signal::{Signal, killpg};
use tokio::task::JoinHandle;

use super::{DriverError, pid};

/// The ids of a supervisor and its task.
type Started = Result<(u32, u32), DriverError>;

/// Waits for a start. When nobody waits any more (the allocation was stopped meanwhile), the task is killed as soon as it is there: nobody else knows of it.
#[derive(Debug)]
pub(super) struct Starting(pub(super) Option<JoinHandle<Started>>);

impl Future for Starting {
    type Output = Started;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Started> {
        let lost = |error: &dyn std::fmt::Display| DriverError::recoverable(format!("the task could not be started: {error}"));
        let Some(work) = &mut self.0 else { return Poll::Ready(Err(lost(&"it was waited for twice"))) };
        let Poll::Ready(started) = Pin::new(work).poll(context) else { return Poll::Pending };
        self.0 = None;
        Poll::Ready(started.unwrap_or_else(|error| Err(lost(&error))))
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        let (Some(work), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) else { return };
        // Owned by the start itself, which ends within the time of a fork.
        runtime.spawn(async move {
            if let Ok(Ok((_, task))) = work.await {
                tracing::debug!(task, "a task that nobody waits for any more is killed");
                let _ = killpg(pid(task), Signal::SIGKILL);
            }
        });
    }
}

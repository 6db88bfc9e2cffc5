//! `drover alloc ...`

pub(crate) mod checks;
pub(crate) mod exec;
pub(crate) mod fs;
pub(crate) mod logs;
pub(crate) mod restart;
pub(crate) mod signal;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod which;

use anyhow::Result;
use drover_api::Client;
use drover_model::view::AllocationStub;

use crate::{context, verbs};

verbs! {
    /// Show one allocation: its tasks, events and ports
    Status(status::Args),
    /// Print a task's log
    Logs(logs::Args),
    /// Run a command in a task
    Exec(exec::Args),
    /// List folders and print files of an allocation
    Fs(fs::Args),
    /// Show how the checks of an allocation's services are
    Checks(checks::Args),
    /// Restart tasks in place
    Restart(restart::Args),
    /// Send a signal to tasks
    Signal(signal::Args),
    /// Stop an allocation; another takes its place
    Stop(stop::Args),
}

/// The one allocation that `prefix` means.
pub(crate) async fn find(client: &Client, prefix: &str) -> Result<AllocationStub> {
    let allocations = client.allocations(context::even(prefix)).await?.data;
    let matching = allocations.into_iter().filter(|allocation| allocation.id.to_string().starts_with(prefix)).collect();
    context::unique("allocation", prefix, matching, |allocation: &AllocationStub| allocation.id.to_string())
}

//! `drover deployment ...`

pub(crate) mod fail;
pub(crate) mod list;
pub(crate) mod pause;
pub(crate) mod promote;
pub(crate) mod resume;
pub(crate) mod status;

use anyhow::Result;
use drover_api::Client;

use crate::{context, verbs};

verbs! {
    /// List deployments
    List(list::Args),
    /// Show one deployment
    Status(status::Args),
    /// Promote the canaries of a deployment
    Promote(promote::Args),
    /// Mark a deployment as failed
    Fail(fail::Args),
    /// Pause a deployment: nothing more is placed
    Pause(pause::Args),
    /// Go on with a paused deployment
    Resume(resume::Args),
}

/// The one deployment that `prefix` means.
pub(crate) async fn find(client: &Client, prefix: &str) -> Result<String> {
    let deployments = client.deployments(context::even(prefix)).await?.data;
    let matching = deployments.into_iter().filter(|deployment| deployment.id.to_string().starts_with(prefix)).collect();
    Ok(context::unique("deployment", prefix, matching, |deployment| deployment.id.to_string())?.id.to_string())
}

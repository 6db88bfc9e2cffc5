//! `drover job dispatch`

use std::collections::BTreeMap;

use anyhow::Result;
use drover_api::DispatchRequest;

use crate::{
    context::{self, Reach, block_on},
    exit::Exit,
    monitor::Follow,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The parameterized job's id, or the start of it
    job: String,
    /// A file with the payload; `-` reads standard input
    file: Option<String>,
    /// A label that the job asks for; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    meta: Vec<String>,
    /// Dispatch nothing if a job was dispatched with this token already
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true)]
    idempotency_token: String,
    /// A text for the new job's id
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    id_prefix_template: String,
    /// The new job's priority (1 to 100) instead of that of the parameterized one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    priority: Option<u8>,
    #[command(flatten)]
    follow: Follow,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        let request = DispatchRequest {
            payload: self.file.as_deref().map(context::content).transpose()?.unwrap_or_default(),
            meta: self.meta.iter().map(|pair| context::label(pair)).collect::<Result<BTreeMap<_, _>>>()?,
            id_prefix_template: self.id_prefix_template,
            priority: self.priority.unwrap_or(0),
            idempotency_token: self.idempotency_token,
        };
        block_on(async {
            let id = super::find(&client, &self.job).await?;
            let dispatched = client.dispatch(&id, &request).await?.data;
            println!("Dispatched Job ID = {}\nEvaluation ID     = {}", dispatched.dispatched_job_id, dispatched.eval_id);
            self.follow.evaluation(&client, &dispatched.eval_id, "").await
        })
    }
}

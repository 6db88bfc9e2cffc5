//! `drover operator scheduler set-config`

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Algorithm {
    /// Fill nodes one after another
    Binpack,
    /// Keep all nodes about equally full
    Spread,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Which of the nodes that suit is the best
    #[arg(long, value_name = "ALGORITHM")]
    scheduler_algorithm: Option<Algorithm>,
    /// Let tasks use memory up to their memory_max
    #[arg(long, value_name = "BOOL")]
    memory_oversubscription: Option<bool>,
    /// Refuse new jobs and versions of jobs
    #[arg(long, value_name = "BOOL")]
    reject_job_registration: Option<bool>,
    /// Place nothing until it is false again
    #[arg(long, value_name = "BOOL")]
    pause_eval_broker: Option<bool>,
    /// Let system jobs take the place of what is less important
    #[arg(long, value_name = "BOOL")]
    preempt_system_scheduler: Option<bool>,
    /// The same for sysbatch jobs
    #[arg(long, value_name = "BOOL")]
    preempt_sysbatch_scheduler: Option<bool>,
    /// The same for service jobs
    #[arg(long, value_name = "BOOL")]
    preempt_service_scheduler: Option<bool>,
    /// The same for batch jobs
    #[arg(long, value_name = "BOOL")]
    preempt_batch_scheduler: Option<bool>,
    /// Only if the configuration's modify index is still this one
    #[arg(long, value_name = "INDEX")]
    check_index: Option<u64>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let mut config = client.scheduler_config().await?;
            if let Some(algorithm) = self.scheduler_algorithm.and_then(|algorithm| algorithm.to_possible_value()) {
                config.scheduler_algorithm = algorithm.get_name().to_owned();
            }
            let preemption = &mut config.preemption_config;
            for (given, field) in [
                (self.memory_oversubscription, &mut config.memory_oversubscription_enabled),
                (self.reject_job_registration, &mut config.reject_job_registration),
                (self.pause_eval_broker, &mut config.pause_eval_broker),
                (self.preempt_system_scheduler, &mut preemption.system_scheduler_enabled),
                (self.preempt_sysbatch_scheduler, &mut preemption.sys_batch_scheduler_enabled),
                (self.preempt_service_scheduler, &mut preemption.service_scheduler_enabled),
                (self.preempt_batch_scheduler, &mut preemption.batch_scheduler_enabled),
            ] {
                *field = given.unwrap_or(*field);
            }
            // What somebody else changes between the reading and the writing is not undone.
            let check = self.check_index.unwrap_or(config.modify_index);
            if !client.set_scheduler_config(&config, check).await?.updated {
                bail!(
                    "the configuration is not the one of index {check} any more: look at it (operator scheduler get-config) and try again"
                );
            }
            println!("Scheduler configuration updated!");
            Ok(Exit::Ok)
        })
    }
}

//! `drover operator scheduler get-config`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{Pairs, Shown},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let config = client.scheduler_config().await?;
            if self.shown.print(&config)? {
                return Ok(Exit::Ok);
            }
            let preemption = config.preemption_config;
            let mut pairs = Pairs::default();
            pairs
                .add("Scheduler Algorithm", config.scheduler_algorithm)
                .add("Memory Oversubscription", config.memory_oversubscription_enabled)
                .add("Reject Job Registration", config.reject_job_registration)
                .add("Pause Eval Broker", config.pause_eval_broker)
                .add("Preemption System Scheduler", preemption.system_scheduler_enabled)
                .add("Preemption SysBatch Scheduler", preemption.sys_batch_scheduler_enabled)
                .add("Preemption Service Scheduler", preemption.service_scheduler_enabled)
                .add("Preemption Batch Scheduler", preemption.batch_scheduler_enabled)
                .add("Modify Index", config.modify_index);
            pairs.print();
            Ok(Exit::Ok)
        })
    }
}

//! The scheduler's settings that operators change while it runs.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SchedulerConfig {
    pub scheduler_algorithm: SchedulerAlgorithm,
    pub preemption_config: PreemptionConfig,
    pub memory_oversubscription_enabled: bool,
    /// Job registrations, dispatches and scalings are refused (but for those with management rights).
    pub reject_job_registration: bool,
    /// Evaluations wait.
    pub pause_eval_broker: bool,
    /// Kept for the API's sake: placement looks at every node.
    pub node_limit_for_feasibility_checks: u32,
    pub create_index: u64,
    pub modify_index: u64,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            scheduler_algorithm: SchedulerAlgorithm::Binpack,
            preemption_config: PreemptionConfig::default(),
            memory_oversubscription_enabled: false,
            reject_job_registration: false,
            pause_eval_broker: false,
            node_limit_for_feasibility_checks: 0,
            create_index: 0,
            modify_index: 0,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchedulerAlgorithm {
    #[default]
    Binpack,
    Spread,
}

/// For which kinds of jobs allocations of lower priority may be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PreemptionConfig {
    #[serde(rename = "SystemSchedulerEnabled")]
    pub system: bool,
    #[serde(rename = "SysBatchSchedulerEnabled")]
    pub sysbatch: bool,
    #[serde(rename = "BatchSchedulerEnabled")]
    pub batch: bool,
    #[serde(rename = "ServiceSchedulerEnabled")]
    pub service: bool,
}

impl Default for PreemptionConfig {
    fn default() -> Self {
        Self { system: true, sysbatch: false, batch: false, service: false }
    }
}

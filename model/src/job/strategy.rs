//! How a group is updated, migrated, restarted and rescheduled.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{nanos, nanos_option};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// What tells that an allocation is healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthCheck {
    /// All tasks run and all checks pass.
    #[default]
    Checks,
    /// All tasks run.
    TaskStates,
    /// Somebody says so through the API.
    Manual,
    /// The job's own strategy, which only its groups' copies complete.
    #[serde(rename = "")]
    Unset,
}

/// How a new version takes the place of the old one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateStrategy {
    #[serde(with = "nanos")]
    pub stagger: Duration,
    /// How many allocations are replaced at a time; 0 is no limit and no deployment.
    pub max_parallel: u32,
    pub health_check: HealthCheck,
    #[serde(with = "nanos")]
    pub min_healthy_time: Duration,
    #[serde(with = "nanos")]
    pub healthy_deadline: Duration,
    /// Without progress for so long, a deployment fails; zero: with the first unhealthy allocation.
    #[serde(with = "nanos")]
    pub progress_deadline: Duration,
    pub auto_revert: bool,
    pub auto_promote: bool,
    pub canary: u32,
}

impl Default for UpdateStrategy {
    fn default() -> Self {
        Self {
            stagger: 30 * SECOND,
            max_parallel: 1,
            health_check: HealthCheck::Checks,
            min_healthy_time: 10 * SECOND,
            healthy_deadline: 5 * MINUTE,
            progress_deadline: 10 * MINUTE,
            auto_revert: false,
            auto_promote: false,
            canary: 0,
        }
    }
}

impl UpdateStrategy {
    /// Whether a change goes through a deployment.
    pub fn rolls(&self) -> bool {
        self.max_parallel > 0
    }
}

/// The pace at which a draining node's allocations move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MigrateStrategy {
    pub max_parallel: u32,
    pub health_check: HealthCheck,
    #[serde(with = "nanos")]
    pub min_healthy_time: Duration,
    #[serde(with = "nanos")]
    pub healthy_deadline: Duration,
}

impl Default for MigrateStrategy {
    fn default() -> Self {
        Self { max_parallel: 1, health_check: HealthCheck::Checks, min_healthy_time: 10 * SECOND, healthy_deadline: 5 * MINUTE }
    }
}

/// What follows when a task has used up its attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RestartMode {
    /// The task waits for the next interval.
    Delay,
    /// The task has failed.
    #[default]
    Fail,
}

/// How a task is started again on its node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RestartPolicy {
    pub attempts: u32,
    #[serde(with = "nanos")]
    pub interval: Duration,
    #[serde(with = "nanos")]
    pub delay: Duration,
    pub mode: RestartMode,
    pub render_templates: bool,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self { attempts: 2, interval: 30 * MINUTE, delay: 15 * SECOND, mode: RestartMode::Fail, render_templates: false }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DelayFunction {
    Constant,
    #[default]
    Exponential,
    Fibonacci,
}

/// How a failed allocation is replaced by one elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ReschedulePolicy {
    pub attempts: u32,
    #[serde(with = "nanos")]
    pub interval: Duration,
    #[serde(with = "nanos")]
    pub delay: Duration,
    pub delay_function: DelayFunction,
    #[serde(with = "nanos")]
    pub max_delay: Duration,
    pub unlimited: bool,
}

impl Default for ReschedulePolicy {
    fn default() -> Self {
        Self {
            attempts: 0,
            interval: Duration::ZERO,
            delay: 30 * SECOND,
            delay_function: DelayFunction::Exponential,
            max_delay: HOUR,
            unlimited: true,
        }
    }
}

impl ReschedulePolicy {
    pub fn enabled(&self) -> bool {
        self.unlimited || self.attempts > 0
    }
}

/// What becomes of allocations on a node that the servers cannot hear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DisconnectStrategy {
    #[serde(with = "nanos")]
    pub lost_after: Duration,
    #[serde(with = "nanos_option")]
    pub stop_on_client_after: Option<Duration>,
    pub replace: bool,
    pub reconcile: String,
}

impl Default for DisconnectStrategy {
    fn default() -> Self {
        Self { lost_after: Duration::ZERO, stop_on_client_after: None, replace: true, reconcile: "best_score".to_owned() }
    }
}

//! Restarts, rescheduling, updates, migration and disconnection.

use super::*;

const MIN_RESTART_INTERVAL: Nanos = Nanos::seconds(5);
const MIN_RESCHEDULE_DELAY: Nanos = Nanos::seconds(5);
const MIN_RESCHEDULE_INTERVAL: Nanos = Nanos::seconds(15);
const HEALTH_CHECKS: [&str; 3] = ["checks", "task_states", "manual"];

pub(super) fn restart(policy: &Restart) -> ValidationErrors {
    let mut errors = ValidationErrors::default();
    let mode = policy.mode.as_deref().unwrap_or_default();
    if !["delay", "fail"].contains(&mode) {
        errors.push(format!("Unsupported restart mode: {mode:?}"));
    }
    let (attempts, interval, delay) = (policy.attempts.unwrap_or(0), policy.interval.unwrap_or_default(), policy.delay.unwrap_or_default());
    in_range("Restart attempts", policy.attempts, 0..=MAX_NUMBER, &mut errors);
    not_negative("Restart delay", policy.delay, &mut errors);
    if attempts == 0 && mode == "delay" {
        errors.push("Restart mode \"delay\" needs at least one attempt");
        return errors;
    }
    if attempts > 0 && interval < MIN_RESTART_INTERVAL {
        errors.push(format!("Interval can not be less than {MIN_RESTART_INTERVAL} (got {interval})"));
    }
    if attempts.saturating_mul(delay.0) > interval.0 {
        errors.push(format!("Nomad can't restart the TaskGroup {attempts} times in an interval of {interval} with a delay of {delay}"));
    }
    errors
}

pub(super) fn reschedule(policy: &Reschedule) -> ValidationErrors {
    let mut errors = ValidationErrors::default();
    let (attempts, unlimited) = (policy.attempts.unwrap_or(0), policy.unlimited.unwrap_or(false));
    in_range("Reschedule attempts", policy.attempts, 0..=MAX_NUMBER, &mut errors);
    not_negative("Reschedule interval", policy.interval, &mut errors);
    if attempts == 0 && !unlimited {
        return errors;
    }
    let (interval, delay, max_delay) =
        (policy.interval.unwrap_or_default(), policy.delay.unwrap_or_default(), policy.max_delay.unwrap_or_default());
    let function = policy.delay_function.as_deref().unwrap_or_default();
    if !["constant", "exponential", "fibonacci"].contains(&function) {
        errors.push(format!("Invalid delay function {function:?}, must be one of [constant exponential fibonacci]"));
    }
    if delay < MIN_RESCHEDULE_DELAY {
        errors.push(format!("Delay cannot be less than {MIN_RESCHEDULE_DELAY} (got {delay})"));
    }
    if function != "constant" && max_delay < delay {
        errors.push(format!("Max Delay cannot be less than Delay {delay} (got {max_delay})"));
    }
    if !unlimited {
        if attempts > 0 && interval < MIN_RESCHEDULE_INTERVAL {
            errors.push(format!("Interval cannot be less than {MIN_RESCHEDULE_INTERVAL} (got {interval})"));
        }
        if function == "constant" && attempts.saturating_mul(delay.0) > interval.0 {
            errors.push(format!("{attempts} reschedule attempts with a delay of {delay} do not fit into an interval of {interval}"));
        }
    } else if attempts > 0 {
        errors.push("Reschedule attempts and unlimited exclude each other: set attempts to 0 or unlimited to false");
    }
    errors
}

pub(super) fn update(update: &Update) -> ValidationErrors {
    let mut errors = ValidationErrors::default();
    if !HEALTH_CHECKS.contains(&update.health_check.as_deref().unwrap_or_default()) {
        errors.push(format!("Invalid health check given: {:?}", update.health_check.as_deref().unwrap_or_default()));
    }
    if update.max_parallel.unwrap_or(0) < 0 {
        errors.push(format!("Max parallel can not be less than zero: {} < 0", update.max_parallel.unwrap_or(0)));
    }
    let canary = update.canary.unwrap_or(0);
    if canary < 0 {
        errors.push(format!("Canary count can not be less than zero: {canary} < 0"));
    }
    if canary == 0 && update.auto_promote == Some(true) {
        errors.push("Auto Promote requires a Canary count greater than zero");
    }
    let (minimum, deadline, progress) = (
        update.min_healthy_time.unwrap_or_default(),
        update.healthy_deadline.unwrap_or_default(),
        update.progress_deadline.unwrap_or_default(),
    );
    healthy_times(minimum, deadline, &mut errors);
    not_negative("Progress deadline", Some(progress), &mut errors);
    if progress.0 > 0 && deadline >= progress {
        errors.push(format!("Healthy deadline must be less than progress deadline: {deadline} > {progress}"));
    }
    if update.stagger.unwrap_or_default().0 <= 0 {
        errors.push("Stagger must be greater than zero");
    }
    errors
}

pub(super) fn migrate(migrate: &Migrate) -> ValidationErrors {
    let mut errors = ValidationErrors::default();
    if migrate.max_parallel.unwrap_or(0) < 0 {
        errors.push(format!("MaxParallel must be >= 0 but found {}", migrate.max_parallel.unwrap_or(0)));
    }
    if !["checks", "task_states"].contains(&migrate.health_check.as_deref().unwrap_or_default()) {
        errors.push(format!("Invalid HealthCheck: {:?}", migrate.health_check.as_deref().unwrap_or_default()));
    }
    healthy_times(migrate.min_healthy_time.unwrap_or_default(), migrate.healthy_deadline.unwrap_or_default(), &mut errors);
    errors
}

fn healthy_times(minimum: Nanos, deadline: Nanos, errors: &mut ValidationErrors) {
    not_negative("Minimum healthy time", Some(minimum), errors);
    if deadline.0 <= 0 {
        errors.push(format!("Healthy deadline must be greater than zero: {deadline}"));
    }
    if minimum >= deadline {
        errors.push(format!("Minimum healthy time must be less than healthy deadline: {minimum} > {deadline}"));
    }
}

pub(super) fn disconnect(disconnect: &Disconnect, kind: &str) -> ValidationErrors {
    let mut errors = ValidationErrors::default();
    not_negative("lost_after", disconnect.lost_after, &mut errors);
    not_negative("stop_on_client_after", disconnect.stop_on_client_after, &mut errors);
    if disconnect.stop_on_client_after.is_some() {
        if matches!(kind, "system" | "sysbatch") {
            errors.push("stop_on_client_after can only be used with service and batch jobs");
        }
        if disconnect.lost_after.is_some() {
            errors.push("lost_after and stop_on_client_after exclude each other");
        }
    }
    let reconcile = disconnect.reconcile.as_deref().unwrap_or_default();
    if !["", "best_score", "keep_original", "keep_replacement", "longest_running"].contains(&reconcile) {
        errors.push(format!("Invalid reconcile option {reconcile:?}"));
    }
    errors
}

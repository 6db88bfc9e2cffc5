//! Whether a job makes sense. Runs on a canonicalized spec and collects every problem, nested as the blocks are.

use std::{collections::BTreeSet, fmt};

use super::*;

mod constraint;
mod cron;
mod group;
mod policy;
mod service;
mod task;
mod unsupported;

pub(super) use service::check_name;

/// Everything that is wrong with one block. Printed as a count and a list, which nests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidationErrors {
    pub errors: Vec<String>,
}

impl ValidationErrors {
    pub(super) fn push(&mut self, error: impl Into<String>) {
        self.errors.push(error.into());
    }

    /// Adds the problems of an inner block as one item of this list.
    fn nest(&mut self, inner: Self) {
        if !inner.errors.is_empty() {
            self.push(inner.to_string());
        }
    }

    /// The same, with the name of the inner block before it.
    fn nest_as(&mut self, block: impl fmt::Display, inner: Self) {
        if !inner.errors.is_empty() {
            self.push(format!("{block} validation failed: {inner}"));
        }
    }

    fn append(&mut self, inner: Self) {
        self.errors.extend(inner.errors);
    }
}

impl fmt::Display for ValidationErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.len() {
            1 => f.write_str("1 error occurred:\n")?,
            count => writeln!(f, "{count} errors occurred:")?,
        }
        for error in &self.errors {
            writeln!(f, "\t* {error}")?;
        }
        f.write_str("\n")
    }
}

impl std::error::Error for ValidationErrors {}

/// What validation found: problems that refuse the job, and oddities that do not.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) errors: ValidationErrors,
    pub(super) warnings: Vec<String>,
}

/// The most instances that one group may ask for.
const MAX_COUNT: i64 = 50_000;
const MAX_PRIORITY: i64 = 100;
const MAX_ID_BYTES: usize = 256;
/// The longest description that a job may show in the interface.
const MAX_DESCRIPTION_CHARS: usize = 1000;

pub(super) fn validate(job: &JobSpec) -> Findings {
    let mut findings = Findings::default();
    let errors = &mut findings.errors;
    names(job, errors);
    let kind = job.kind.as_deref().unwrap_or_default();
    if !["service", "batch", "system", "sysbatch"].contains(&kind) {
        errors.push(format!("Invalid job type: {kind:?}"));
    }
    if job.task_groups.is_empty() {
        errors.push("Missing job task groups");
    }
    if job.datacenters.iter().any(String::is_empty) {
        errors.push("Job datacenter must be non-empty string");
    }
    constraint::constraints(&job.constraints, errors);
    let system = matches!(kind, "system" | "sysbatch");
    if kind == "system" && !job.affinities.is_empty() {
        errors.push("System jobs may not have an affinity block");
    } else {
        constraint::affinities(&job.affinities, errors);
    }
    if kind == "system" && !job.spreads.is_empty() {
        errors.push("System jobs may not have a spread block");
    } else {
        constraint::spreads(&job.spreads, errors);
    }
    groups(job, system, &mut findings);
    let errors = &mut findings.errors;
    launches(job, kind, errors);
    if let Some(ui) = &job.ui
        && ui.description.chars().count() > MAX_DESCRIPTION_CHARS
    {
        errors.push(format!("UI description must be at most {MAX_DESCRIPTION_CHARS} characters long"));
    }
    unsupported::job(job, errors);
    let priority = job.priority.unwrap_or(0);
    if !(1..=MAX_PRIORITY).contains(&priority) {
        errors.push(format!("job priority must be between [1, {MAX_PRIORITY}]"));
    }
    findings
}

fn names(job: &JobSpec, errors: &mut ValidationErrors) {
    let id = job.id.as_deref().unwrap_or_default();
    if id.is_empty() {
        errors.push("Missing job ID");
    } else if id.contains(' ') {
        errors.push("Job ID contains a space");
    }
    if id.contains(|c: char| c.is_control()) {
        errors.push("Job ID contains a control character");
    }
    if id.len() > MAX_ID_BYTES {
        errors.push(format!("Job ID is longer than {MAX_ID_BYTES} bytes"));
    }
    if job.name.as_deref().unwrap_or_default().is_empty() {
        errors.push("Missing job name");
    }
    if job.name.as_deref().unwrap_or_default().contains('\0') {
        errors.push("Job Name contains a null character");
    }
    if job.region.as_deref().unwrap_or_default().is_empty() {
        errors.push("Missing job region");
    }
    if job.namespace.as_deref().unwrap_or_default().is_empty() {
        errors.push("Job must be in a namespace");
    }
}

fn groups(job: &JobSpec, system: bool, findings: &mut Findings) {
    let kind = job.kind.as_deref().unwrap_or_default();
    let mut seen: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for (at, group) in job.task_groups.iter().enumerate() {
        let name = group.name.as_deref().unwrap_or_default();
        if name.is_empty() {
            findings.errors.push(format!("Job task group {} missing name", at + 1));
        } else if let Some(first) = seen.insert(name, at + 1) {
            findings.errors.push(format!("Job task group {} redefines '{name}' from group {first}", at + 1));
        }
        let count = group.count.unwrap_or(1);
        if system && count > 1 {
            findings.errors.push(format!("Job task group {name} has count {count}. Count cannot exceed 1 with {kind} scheduler"));
        }
    }
    for group in &job.task_groups {
        let name = group.name.as_deref().unwrap_or_default();
        let inner = group::validate(group, job);
        findings.warnings.extend(inner.warnings);
        findings.errors.nest_as(format_args!("Task group {name}"), inner.errors);
    }
}

/// Periodic and parameterized jobs.
fn launches(job: &JobSpec, kind: &str, errors: &mut ValidationErrors) {
    let batch = matches!(kind, "batch" | "sysbatch");
    if let Some(periodic) = &job.periodic {
        if !batch {
            errors.push("Periodic can only be used with \"batch\" or \"sysbatch\" scheduler");
        }
        errors.nest(cron::periodic(periodic));
    }
    if let Some(parameterized) = &job.parameterized {
        if !batch {
            errors.push("Parameterized job can only be used with \"batch\" or \"sysbatch\" scheduler");
        }
        if !["", "optional", "required", "forbidden"].contains(&parameterized.payload.as_str()) {
            errors.push(format!("Unknown payload requirement: {:?}", parameterized.payload));
        }
        let required: BTreeSet<&String> = parameterized.meta_required.iter().collect();
        let both: Vec<&str> = parameterized.meta_optional.iter().filter(|key| required.contains(key)).map(String::as_str).collect();
        if !both.is_empty() {
            errors.push(format!("Required and optional meta keys should be disjoint. Following keys exist in both: {}", both.join(", ")));
        }
    }
}

/// A number that must fit into what servers keep it in.
fn in_range(what: &str, value: Option<i64>, range: std::ops::RangeInclusive<i64>, errors: &mut ValidationErrors) {
    if let Some(value) = value.filter(|value| !range.contains(value)) {
        errors.push(format!("{what} must be between {} and {}; got {value}", range.start(), range.end()));
    }
}

/// A duration that must not be negative.
fn not_negative(what: &str, value: Option<Nanos>, errors: &mut ValidationErrors) {
    if let Some(value) = value.filter(|value| value.0 < 0) {
        errors.push(format!("{what} must not be negative; got {value}"));
    }
}

/// The largest whole number that a job may carry in most places.
const MAX_NUMBER: i64 = u32::MAX as i64;

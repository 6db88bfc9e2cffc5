//! Services and checks.

use super::*;

const MIN_CHECK_INTERVAL: Nanos = Nanos::seconds(1);

pub(super) fn of_group(group: &TaskGroup, findings: &mut Findings) {
    let mut services = ValidationErrors::default();
    let mut checks = ValidationErrors::default();
    let group_name = group.name.as_deref().unwrap_or_default();
    for (at, service) in group.services.iter().enumerate() {
        services.nest_as(format_args!("Service[{at}] {}", service.name), one(service, group, None));
        for check in &service.checks {
            task_of_check(group, group_name, service, check, &mut checks);
        }
    }
    duplicates(group.services.iter(), &mut services);
    let providers: BTreeSet<&str> = group
        .services
        .iter()
        .chain(group.tasks.iter().flat_map(|task| task.services.iter()))
        .map(|service| service.provider.as_str())
        .collect();
    if providers.len() > 1 && !group.services.is_empty() {
        services.push("Multiple service providers used: task group services must use the same provider");
    }
    findings.errors.nest_as("Task group service", services);
    findings.errors.nest_as("Task group service check", checks);
}

pub(super) fn of_task(task: &Task, group: &TaskGroup, errors: &mut ValidationErrors) {
    for (at, service) in task.services.iter().enumerate() {
        errors.nest_as(format_args!("Service[{at}] {}", service.name), one(service, group, Some(task)));
    }
    duplicates(task.services.iter(), errors);
}

/// Two services of one name must at least stand on different ports.
fn duplicates<'a>(services: impl Iterator<Item = &'a Service>, errors: &mut ValidationErrors) {
    let mut seen = BTreeSet::new();
    for service in services {
        if !seen.insert((&service.name, &service.port_label)) {
            errors.push(format!("Service {:?} is defined twice with port {:?}", service.name, service.port_label));
        }
    }
}

/// Checks of a group that act within a task must say in which.
fn task_of_check(group: &TaskGroup, group_name: &str, service: &Service, check: &Check, errors: &mut ValidationErrors) {
    let task = if check.task_name.is_empty() { &service.task_name } else { &check.task_name };
    let label = check_name(service, check);
    if task.is_empty() {
        if check.kind == "script" {
            errors.push(format!("Service [{group_name}]->{} or Check {label} must specify task parameter", service.name));
        }
    } else if group.tasks.iter().all(|known| known.name != *task) {
        errors.push(format!(
            "Service [{group_name}]->{} Check {label} refers to the task {task:?}, which the group does not have",
            service.name
        ));
    }
}

/// What a check is called when the job does not say.
pub(in crate::spec) fn check_name(service: &Service, check: &Check) -> String {
    if check.name.is_empty() { format!("service: {:?} check", service.name) } else { check.name.clone() }
}

fn one(service: &Service, group: &TaskGroup, task: Option<&Task>) -> ValidationErrors {
    let mut errors = ValidationErrors::default();
    if !valid_name(&service.name) {
        errors.push(format!(
            "Service name must be valid per RFC 1123 and can contain only alphanumeric characters or dashes and must be no longer than 63 characters: {:?}",
            service.name
        ));
    }
    if !matches!(service.address_mode.as_str(), "auto" | "alloc" | "driver" | "host") {
        errors.push(format!("Service address_mode must be \"auto\", \"alloc\", \"host\" or \"driver\"; not {:?}", service.address_mode));
    }
    if !valid_on_update(&service.on_update) {
        errors
            .push(format!("Service on_update must be \"require_healthy\", \"ignore_warnings\" or \"ignore\"; not {:?}", service.on_update));
    }
    port(&service.port_label, "Service", group, task, &mut errors);
    match service.provider.as_str() {
        "consul" => {}
        "nomad" => {
            if service.enable_tag_override {
                errors.push("Service with provider nomad cannot include enable_tag_override");
            }
            if service.connect.is_some() {
                errors.push("Service with provider nomad cannot include Connect blocks");
            }
        }
        other => {
            errors.push(format!("Service provider must be \"consul\", or \"nomad\"; not {other:?}"));
            return errors;
        }
    }
    if let Some(weights) = &service.weights
        && (!(0..=MAX_NUMBER).contains(&weights.passing) || !(0..=MAX_NUMBER).contains(&weights.warning))
    {
        errors.push("Service weights must not be negative");
    }
    for item in &service.checks {
        match check(item, service, group, task) {
            inner if inner.is_empty() => {}
            inner if inner.len() == 1 => errors.push(inner.into_iter().next().unwrap_or_default()),
            inner => errors.push(format!("Check {} validation failed: {}", check_name(service, item), ValidationErrors { errors: inner })),
        }
    }
    errors
}

fn check(check: &Check, service: &Service, group: &TaskGroup, task: Option<&Task>) -> Vec<String> {
    let types: &[&str] = if service.provider == "nomad" { &["tcp", "http"] } else { &["http", "tcp", "script", "grpc"] };
    if !types.contains(&check.kind.as_str()) {
        return vec![format!("invalid check type ({:?}), must be one of {}", check.kind, types.join(", "))];
    }
    let mut errors = ValidationErrors::default();
    if check.kind == "http" && check.path.is_empty() {
        errors.push("http type must have http path");
    }
    if check.kind == "http" && !matches!(check.protocol.as_str(), "" | "http" | "https") {
        errors.push(format!("protocol must be http or https; not {:?}", check.protocol));
    }
    if check.kind == "script" && check.command.is_empty() {
        errors.push("script type must have a valid script path");
    }
    for (name, value) in [("interval", check.interval), ("timeout", check.timeout)] {
        if value.0 == 0 {
            errors.push(format!("missing required value {name}. Specify a {name} for the check"));
        } else if value < MIN_CHECK_INTERVAL {
            errors.push(format!("{name} ({value}) must be greater than or equal to {MIN_CHECK_INTERVAL}"));
        }
    }
    if !matches!(check.initial_status.as_str(), "" | "passing" | "warning" | "critical") {
        errors
            .push(format!("invalid initial check state ({}), must be one of \"passing\", \"warning\", \"critical\"", check.initial_status));
    }
    if !valid_on_update(&check.on_update) {
        errors.push(format!("on_update must be \"require_healthy\", \"ignore_warnings\" or \"ignore\"; not {:?}", check.on_update));
    }
    if check.kind != "script" {
        port(&check.port_label, "Check", group, task, &mut errors);
        if check.port_label.is_empty() && service.port_label.is_empty() {
            errors.push("check needs a port, its own or its service's");
        }
    }
    for (name, value) in [
        ("success_before_passing", check.success_before_passing),
        ("failures_before_critical", check.failures_before_critical),
        ("failures_before_warning", check.failures_before_warning),
    ] {
        in_range(name, Some(value), 0..=MAX_NUMBER, &mut errors);
    }
    if let Some(restart) = &check.check_restart {
        in_range("check_restart limit", Some(restart.limit), 0..=MAX_NUMBER, &mut errors);
        not_negative("check_restart grace", restart.grace, &mut errors);
    }
    errors.errors
}

/// A port is a number, or a label that the group's (or task's) network has. Without any network a label is left to the driver.
fn port(label: &str, what: &str, group: &TaskGroup, task: Option<&Task>, errors: &mut ValidationErrors) {
    let own = task.and_then(|task| task.resources.as_ref()).into_iter().flat_map(|resources| resources.networks.iter());
    let networks: Vec<&Network> = group.networks.iter().chain(own).collect();
    if label.is_empty() || networks.is_empty() || label.contains("${") {
        return;
    }
    if let Ok(number) = label.parse::<i64>() {
        in_range(&format!("{what} port"), Some(number), 1..=65_535, errors);
        return;
    }
    let known = networks.iter().flat_map(|network| network.reserved_ports.iter().chain(network.dynamic_ports.iter()));
    let labels: BTreeSet<&str> = known.map(|port| port.label.as_str()).collect();
    if !labels.contains(label) {
        let labels: Vec<&str> = labels.into_iter().collect();
        errors.push(format!("{what} port {label:?} is not defined in the network; it has: {}", labels.join(", ")));
    }
}

fn valid_on_update(text: &str) -> bool {
    matches!(text, "" | "require_healthy" | "ignore_warnings" | "ignore")
}

/// Letters, digits and dashes (not at the ends), at most 63. What is interpolated later is judged later.
fn valid_name(name: &str) -> bool {
    if name.contains("${") {
        return true;
    }
    (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

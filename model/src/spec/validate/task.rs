//! Tasks.

use super::*;

const MIN_MEMORY_MB: i64 = 10;
const MIN_CPU_MHZ: i64 = 1;

pub(super) fn validate(task: &Task, group: &TaskGroup, kind: &str) -> ValidationErrors {
    let mut errors = ValidationErrors::default();
    if task.name.contains(['/', '\\', '\0']) || matches!(task.name.as_str(), "." | ".." | "alloc") {
        errors.push(format!("Task name {:?} cannot be the name of a folder", task.name));
    }
    if task.driver.is_empty() {
        errors.push("Missing task driver");
    }
    not_negative("KillTimeout", task.kill_timeout, &mut errors);
    not_negative("ShutdownDelay", Some(task.shutdown_delay), &mut errors);
    if let Some(resources) = &task.resources {
        errors.nest(resources_problems(resources));
    }
    errors.nest(logs(task, group));
    constraint::constraints(&task.constraints, &mut errors);
    if kind == "system" && !task.affinities.is_empty() {
        errors.push("System jobs may not have an affinity block");
    } else {
        constraint::affinities(&task.affinities, &mut errors);
    }
    if let Some(policy) = task.restart.as_ref().filter(|own| Some(*own) != group.restart.as_ref()) {
        errors.append(policy::restart(policy));
    }
    service::of_task(task, group, &mut errors);
    for (at, artifact) in task.artifacts.iter().enumerate() {
        errors.nest_as(format_args!("Artifact {}", at + 1), artifact_problems(artifact));
    }
    if let Some(vault) = &task.vault {
        errors.nest_as("Vault", change(vault.change_mode.as_deref(), vault.change_signal.as_deref(), &["noop", "restart", "signal"]));
    }
    templates(task, kind, &mut errors);
    identities(task, &mut errors);
    if let Some(payload) = &task.dispatch_payload {
        if payload.file.is_empty() {
            errors.push("Dispatch Payload validation failed: a file must be specified");
        } else if escapes(&payload.file) {
            errors.push("Dispatch Payload validation failed: destination escapes allocation directory");
        }
    }
    if let Some(lifecycle) = &task.lifecycle
        && !["prestart", "poststart", "poststop"].contains(&lifecycle.hook.as_str())
    {
        errors.push(match lifecycle.hook.as_str() {
            "" => "Lifecycle validation failed: no lifecycle hook provided".to_owned(),
            hook => format!("Lifecycle validation failed: invalid hook: {hook}"),
        });
    }
    mounts(task, group, &mut errors);
    actions(task, &mut errors);
    unsupported::task(task, &mut errors);
    errors
}

fn resources_problems(resources: &Resources) -> ValidationErrors {
    let mut errors = ValidationErrors::default();
    let mut minimums = ValidationErrors::default();
    let (cpu, cores, memory) = (resources.cpu.unwrap_or(0), resources.cores.unwrap_or(0), resources.memory_mb.unwrap_or(0));
    if cores == 0 && cpu < MIN_CPU_MHZ {
        minimums.push(format!("minimum CPU value is {MIN_CPU_MHZ}; got {cpu}"));
    }
    if memory < MIN_MEMORY_MB {
        minimums.push(format!("minimum MemoryMB value is {MIN_MEMORY_MB}; got {memory}"));
    }
    errors.nest(minimums);
    if cores > 0 && cpu > 0 {
        errors.push("Task can only ask for 'cpu' or 'cores' resource, not both.");
    }
    if let Some(max) = resources.memory_max_mb.filter(|max| *max != 0 && *max < memory) {
        errors.push(format!("MemoryMaxMB value ({max}) should be larger than MemoryMB value ({memory})"));
    }
    if resources.disk_mb.unwrap_or(0) > 0 {
        errors.push("Task can't ask for disk resources, they have to be specified at the task group level.");
    }
    for (name, value) in [
        ("CPU", resources.cpu),
        ("Cores", resources.cores),
        ("MemoryMB", resources.memory_mb),
        ("MemoryMaxMB", resources.memory_max_mb),
        ("SecretsMB", resources.secrets_mb),
    ] {
        in_range(name, value, 0..=MAX_NUMBER, &mut errors);
    }
    if let Some(numa) = &resources.numa
        && !["none", "prefer", "require"].contains(&numa.affinity.as_str())
    {
        errors.push(format!("numa affinity must be one of none, prefer, or require; got {:?}", numa.affinity));
    }
    for name in resources.numa.iter().flat_map(|numa| numa.devices.iter()) {
        if !resources.devices.iter().any(|device| device.name == *name) {
            errors.push(format!("numa devices: {name:?} is not the name of a device block of these resources"));
        }
    }
    for (at, device) in resources.devices.iter().enumerate() {
        let mut inner = ValidationErrors::default();
        if device.name.is_empty() {
            inner.push("Device name must be given as one of the following: type, vendor/type, or vendor/type/name");
        }
        if device.count.unwrap_or(1) < 1 {
            inner.push("Device count must be at least 1");
        }
        constraint::constraints(&device.constraints, &mut inner);
        constraint::affinities(&device.affinities, &mut inner);
        errors.nest_as(format_args!("Device {}", at + 1), inner);
    }
    errors
}

fn logs(task: &Task, group: &TaskGroup) -> ValidationErrors {
    let mut errors = ValidationErrors::default();
    let Some(config) = &task.log_config else { return errors };
    let (files, size) = (config.max_files.unwrap_or(0), config.max_file_size_mb.unwrap_or(0));
    if files < 1 {
        errors.push(format!("minimum number of files is 1; got {files}"));
    }
    if size < 1 {
        errors.push(format!("minimum file size is 1MB; got {size}"));
    }
    in_range("max_files", Some(files), 0..=MAX_NUMBER, &mut errors);
    in_range("max_file_size", Some(size), 0..=MAX_NUMBER, &mut errors);
    let disk = group.ephemeral_disk.as_ref().and_then(|disk| disk.size_mb).unwrap_or(0);
    let usage = files.saturating_mul(size);
    if disk <= usage {
        errors.push(format!("log storage ({usage} MB) must be less than requested disk capacity ({disk} MB)"));
    }
    errors
}

fn artifact_problems(artifact: &Artifact) -> ValidationErrors {
    let mut errors = ValidationErrors::default();
    if artifact.source.as_deref().unwrap_or_default().is_empty() {
        errors.push("source must be specified");
    }
    let mode = artifact.mode.as_deref().unwrap_or_default();
    if !["any", "file", "dir"].contains(&mode) {
        errors.push(format!("invalid artifact mode {mode:?}; must be one of: any, file, dir"));
    }
    if escapes(artifact.destination.as_deref().unwrap_or_default()) {
        errors.push("destination escapes allocation directory");
    }
    if let Some(checksum) = artifact.options.get("checksum").filter(|checksum| !checksum.contains("${")) {
        let (kind, value) = checksum.split_once(':').unwrap_or(("", checksum));
        if !["md5", "sha1", "sha256", "sha512", "file"].contains(&kind) || value.is_empty() {
            errors
                .push(format!("invalid checksum {checksum:?}: it is written as TYPE:HEX with the type md5, sha1, sha256, sha512 or file"));
        }
    }
    errors
}

fn templates(task: &Task, kind: &str, errors: &mut ValidationErrors) {
    let mut destinations = BTreeSet::new();
    for (at, template) in task.templates.iter().enumerate() {
        let mut problems = template_problems(template);
        problems.append(rolling_problems(template, task, kind));
        errors.nest_as(format_args!("Template {}", at + 1), problems);
        let destination = template.destination.as_deref().unwrap_or_default();
        if !destinations.insert(destination) {
            errors.push(format!("Template {} has the same destination as another: {destination:?}", at + 1));
        }
    }
}

/// A change can only go through instances that keep running, and of which somebody can say whether they are well.
fn rolling_problems(template: &Template, task: &Task, kind: &str) -> ValidationErrors {
    let mut errors = ValidationErrors::default();
    if template.change_mode.as_deref() != Some("rolling") {
        return errors;
    }
    if !["service", "system"].contains(&kind) {
        errors.push(format!(
            "change mode \"rolling\" needs a service or system job, and this is a {kind} job; use restart, signal, script or noop"
        ));
    }
    if let Some(lifecycle) = task.lifecycle.as_ref().filter(|lifecycle| !lifecycle.sidecar) {
        errors
            .push(format!("change mode \"rolling\" needs a task that keeps running, and this one is a {} task; use noop", lifecycle.hook));
    }
    errors
}

fn template_problems(template: &Template) -> ValidationErrors {
    let mut errors = ValidationErrors::default();
    let empty = |text: &Option<String>| text.as_deref().unwrap_or_default().is_empty();
    match (empty(&template.source), empty(&template.data)) {
        (true, true) => errors.push("Must specify a source path or have an embedded template"),
        (false, false) => errors.push("Must specify only a source path or an embedded template, not both"),
        _ => {}
    }
    let destination = template.destination.as_deref().unwrap_or_default();
    if destination.is_empty() {
        errors.push("Must specify a destination for the template");
    } else if escapes(destination) {
        errors.push("destination escapes allocation directory");
    }
    let mode = template.change_mode.as_deref();
    errors.append(change(mode, template.change_signal.as_deref(), &["noop", "restart", "signal", "script", "rolling"]));
    if mode == Some("signal") && template.env == Some(true) {
        errors.push("cannot use signals with env var templates");
    }
    match &template.change_script {
        None if mode == Some("script") => errors.push("must specify change script configuration value when change mode is script"),
        Some(script) if script.command.as_deref().unwrap_or_default().is_empty() => {
            errors.push("must specify script path value when change mode is script");
        }
        _ => {}
    }
    not_negative("splay", template.splay, &mut errors);
    let perms = template.perms.as_deref().unwrap_or_default();
    if !perms.is_empty() && u32::from_str_radix(perms, 8).is_err() {
        errors.push(format!("Failed to parse {perms:?} as octal: strconv.ParseUint: parsing {perms:?}: invalid syntax"));
    }
    if let Some(wait) = &template.wait
        && wait.min.zip(wait.max).is_some_and(|(min, max)| min > max)
    {
        errors.push("wait min must not be greater than wait max");
    }
    if !["", "gotemplate", "handlebars"].contains(&template.engine.as_deref().unwrap_or_default()) {
        errors.push(format!(
            "unknown template engine {:?}; must be gotemplate or handlebars",
            template.engine.as_deref().unwrap_or_default()
        ));
    }
    errors
}

fn change(mode: Option<&str>, signal: Option<&str>, allowed: &[&str]) -> ValidationErrors {
    let mut errors = ValidationErrors::default();
    let mode = mode.unwrap_or_default();
    if !allowed.contains(&mode) {
        errors.push(format!("invalid change mode {mode:?}; must be one of: {}", allowed.join(", ")));
    } else if mode == "signal" && signal.unwrap_or_default().is_empty() {
        errors.push("must specify signal value when change mode is signal");
    }
    errors
}

fn identities(task: &Task, errors: &mut ValidationErrors) {
    let mut seen = BTreeSet::new();
    for identity in task.identity.iter().chain(task.identities.iter()) {
        let name = if identity.name.is_empty() { "default" } else { &identity.name };
        if !seen.insert(name) {
            errors.push(format!("Identity {name:?} is defined twice"));
        }
        if name.len() > 128 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
            errors.push(format!("invalid identity name {name:?}: up to 128 letters, digits, dashes and underscores are possible"));
        }
        not_negative("identity ttl", Some(identity.ttl), errors);
        if name == "default" && identity.ttl.0 != 0 {
            errors.push("ttl for default identity not yet supported");
        }
        if escapes(&identity.filepath) {
            errors.push(format!("Identity {name:?}: filepath escapes allocation directory"));
        }
        if !["", "noop", "restart", "signal"].contains(&identity.change_mode.as_str()) {
            errors.push(format!("Identity {name:?}: invalid change_mode {:?}", identity.change_mode));
        }
    }
}

fn mounts(task: &Task, group: &TaskGroup, errors: &mut ValidationErrors) {
    for (at, mount) in task.volume_mounts.iter().enumerate() {
        let volume = mount.volume.as_deref().unwrap_or_default();
        if volume.is_empty() {
            errors.push(format!("Volume Mount ({at}) references an empty volume"));
        } else if !group.volumes.contains_key(volume) {
            errors.push(format!("Volume Mount ({at}) references undefined volume {volume}"));
        }
        if mount.destination.as_deref().unwrap_or_default().is_empty() {
            errors.push(format!("Volume Mount ({at}) has no destination"));
        }
        let mode = mount.propagation_mode.as_deref().unwrap_or_default();
        if !["", "private", "host-to-task", "bidirectional"].contains(&mode) {
            errors.push(format!("Volume Mount ({at}) has an invalid propagation mode: {mode:?}"));
        }
    }
}

fn actions(task: &Task, errors: &mut ValidationErrors) {
    let mut seen = BTreeSet::new();
    for action in &task.actions {
        if action.name.is_empty() || action.name.len() > 128 || action.name.contains(char::is_whitespace) {
            errors.push(format!("invalid action name {:?}", action.name));
        }
        if action.command.is_empty() {
            errors.push(format!("action {:?} has no command", action.name));
        }
        if !seen.insert(&action.name) {
            errors.push(format!("Action {:?} is defined twice", action.name));
        }
    }
}

/// Whether a path leads out of the allocation's folder. Paths that begin with an interpolation are judged on the node, where its value is known.
fn escapes(path: &str) -> bool {
    // Within the allocation a task has its own folder, so one step up is still inside.
    let mut depth = 1_i64;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

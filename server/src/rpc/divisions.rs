//! What a job's namespace and node pool say about it.

use drover_model::{
    job::Job,
    namespace::{ALL_POOL, DEFAULT_NAMESPACE, Namespace},
    spec::JobSpec,
};

use crate::state::State;

/// Fills in what the namespace chooses where the job does not.
pub(super) fn complete(state: &State, spec: &mut JobSpec) {
    let namespace = spec.namespace.as_deref().filter(|name| !name.is_empty()).unwrap_or(DEFAULT_NAMESPACE);
    let rules = state.namespace(namespace).and_then(|namespace| namespace.node_pool_configuration.as_ref());
    if let Some(rules) = rules
        && !rules.default.is_empty()
        && spec.node_pool.as_deref().unwrap_or_default().is_empty()
    {
        spec.node_pool = Some(rules.default.clone());
    }
}

/// Why the job may not be there; nothing when it may.
pub(super) fn check(state: &State, job: &Job) -> Vec<String> {
    let Some(namespace) = state.namespace(&job.namespace) else {
        return vec![format!("job {:?} is in nonexistent namespace {:?}", job.id, job.namespace)];
    };
    let mut errors = Vec::new();
    if job.node_pool != ALL_POOL && state.node_pool(&job.node_pool).is_none() {
        errors.push(format!("job {:?} is in nonexistent node pool {:?}", job.id, job.node_pool));
    }
    if namespace.node_pool_configuration.as_ref().is_some_and(|rules| !rules.allows(&job.node_pool)) {
        errors.push(format!("job {:?} in namespace {:?} is not allowed to use node pool {:?}", job.id, job.namespace, job.node_pool));
    }
    errors.extend(capabilities(namespace, job));
    errors.extend(clusters(namespace, job));
    errors
}

fn capabilities(namespace: &Namespace, job: &Job) -> Vec<String> {
    let Some(rules) = &namespace.capabilities else { return Vec::new() };
    let mut errors = Vec::new();
    for group in job.task_groups.iter() {
        for task in group.tasks.iter().filter(|task| !rules.allows_driver(&task.driver)) {
            errors.push(format!(
                "used task driver {:?} in {:?} is not allowed in namespace {:?}",
                task.driver,
                format!("{}.{}", group.name, task.name),
                namespace.name
            ));
        }
        for network in group.networks.iter().filter(|network| !rules.allows_network_mode(mode(&network.mode))) {
            errors.push(format!("used group network mode {:?} is not allowed in namespace {:?}", mode(&network.mode), namespace.name));
        }
    }
    errors
}

/// A network that names no mode is the host's.
fn mode(named: &str) -> &str {
    if named.is_empty() { "host" } else { named }
}

fn clusters(namespace: &Namespace, job: &Job) -> Vec<String> {
    let mut errors = Vec::new();
    let refused = |what: &str, name: &str| format!("namespace {:?} does not allow jobs to use {what} cluster {name:?}", namespace.name);
    for group in job.task_groups.iter() {
        let consul = group.consul.iter().chain(group.tasks.iter().filter_map(|task| task.consul.as_ref())).map(|consul| &consul.cluster);
        for (what, rules, names) in [
            ("Consul", &namespace.consul_configuration, consul.collect::<Vec<_>>()),
            ("Vault", &namespace.vault_configuration, group.tasks.iter().filter_map(|task| Some(&task.vault.as_ref()?.cluster)).collect()),
        ] {
            let denied = names.into_iter().filter(|name| rules.as_ref().is_some_and(|rules| !rules.allows(name)));
            errors.extend(denied.map(|name| refused(what, name)));
        }
    }
    errors
}

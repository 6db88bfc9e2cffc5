//! Which services an allocation should stand with, as a function of its state.

use std::{collections::BTreeMap, time::Duration};

use drover_integrations::registry::{
    Check as CatalogueCheck, CheckKind, Service as CatalogueService, ServiceIdentity, check_id, service_id,
};
use drover_model::{
    allocation::Allocation,
    job::{Check, CheckRestart, CheckType, Provider, Service, Task, TaskGroup},
    service::CheckStatus,
};

use crate::environment::{Environment, ports::host_and_port};

/// How much longer than its interval a script's outcome counts.
const REPORT_SLACK: Duration = Duration::from_secs(15);

/// One service, where it belongs, and what the client itself does about its checks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) provider: Provider,
    pub(crate) cluster: String,
    pub(crate) service: CatalogueService,
    pub(crate) checks: Vec<Watched>,
}

/// What the client does about one check.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Watched {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The task that is restarted, or whose surroundings a script runs in.
    pub(crate) task: String,
    pub(crate) restart: Option<CheckRestart>,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    /// The states in which a deployment takes it for healthy.
    pub(crate) on_update: OnUpdate,
    /// A script's command.
    pub(crate) script: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnUpdate {
    RequireHealthy,
    IgnoreWarnings,
    Ignore,
}

impl OnUpdate {
    fn parse(text: &str) -> Self {
        match text {
            "ignore_warnings" => Self::IgnoreWarnings,
            "ignore" => Self::Ignore,
            _ => Self::RequireHealthy,
        }
    }

    pub(crate) fn accepts(self, status: CheckStatus) -> bool {
        match self {
            Self::RequireHealthy => status == CheckStatus::Passing,
            Self::IgnoreWarnings => status != CheckStatus::Critical,
            Self::Ignore => true,
        }
    }
}

/// The state that decides.
pub(crate) struct Standing<'a> {
    pub(crate) allocation: &'a Allocation,
    pub(crate) group: &'a TaskGroup,
    /// The host's address, for services that name no port.
    pub(crate) host_ip: &'a str,
    /// Whether a task runs now.
    pub(crate) runs: &'a dyn Fn(&str) -> bool,
    /// Whether a task has run at all.
    pub(crate) has_run: &'a dyn Fn(&str) -> bool,
    pub(crate) group_environment: &'a Environment,
    pub(crate) task_environments: &'a BTreeMap<String, Environment>,
}

/// A service of the group stands from the first start of what it belongs to until the allocation stops, through restarts; one of a task while the task runs.
pub(crate) fn desired(standing: &Standing<'_>) -> Vec<Placed> {
    let mut placed = Vec::new();
    for (task, service) in standing.group.all_services() {
        let stands = match task {
            Some(task) => (standing.runs)(&task.name),
            None if !service.task_name.is_empty() => (standing.has_run)(&service.task_name),
            None => standing.group.tasks.iter().filter(|task| task.lifecycle.is_none()).all(|task| (standing.has_run)(&task.name)),
        };
        if stands {
            placed.push(place(standing, task, service));
        }
    }
    placed
}

fn place(standing: &Standing<'_>, task: Option<&Task>, service: &Service) -> Placed {
    let environment = task.and_then(|task| standing.task_environments.get(&task.name)).unwrap_or(standing.group_environment);
    let text = |text: &String| environment.interpolate(text);
    let owner = task.map_or_else(|| format!("group-{}", standing.group.name), |task| task.name.clone());
    let label = text(&service.port_label);
    let name = text(&service.name);
    let id = service_id(standing.allocation.id, &owner, &name, &label);
    let (ip, port) = resolve(standing, &label, &service.address_mode);
    let address = if service.address.is_empty() { ip } else { text(&service.address) };
    let canary = standing.allocation.is_canary();
    let tags = if canary && !service.canary_tags.is_empty() { &service.canary_tags } else { &service.tags };
    let meta = if canary && !service.canary_meta.is_empty() { &service.canary_meta } else { &service.meta };
    let tagged_addresses = service.tagged_addresses.iter().filter_map(|(key, value)| tagged(key, &text(value), port)).collect();
    let checked = Checked { standing, service, environment, id: &id, task: task.map(|task| task.name.as_str()), address: &address, port };
    let (checks, watched) = service.checks.iter().enumerate().map(|(position, check)| checked.check(check, position)).unzip();
    Placed {
        provider: service.provider,
        cluster: service.cluster.clone(),
        service: CatalogueService {
            id: id.clone(),
            name,
            consul_namespace: consul_namespace(standing, task),
            tags: tags.iter().map(text).collect(),
            meta: meta.iter().map(|(key, value)| (text(key), text(value))).collect(),
            address,
            port,
            tagged_addresses,
            weights: service.weights.map(|weights| (weights.passing, weights.warning)),
            enable_tag_override: service.enable_tag_override,
            kind: service.kind.clone(),
            checks,
            identity: identity(service, task),
        },
        checks: watched,
    }
}

/// `HOST:PORT`, or a host that has the service's port.
fn tagged(key: &str, text: &str, port: u16) -> Option<(String, (String, u16))> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, digits)) => (host, digits.parse().ok()?),
        None => (text, port),
    };
    Some((key.to_owned(), (host.trim_matches(['[', ']']).to_owned(), port)))
}

/// The address and port of a label; a number stands for itself. `alloc` and `driver` mean those inside of the allocation's own network: where it has none,
/// they are the host's.
fn resolve(standing: &Standing<'_>, label: &str, mode: &str) -> (String, u16) {
    let inside = matches!(mode, "alloc" | "driver");
    let value = |value: u16, to: i64| u16::try_from(to).ok().filter(|to| inside && *to > 0).unwrap_or(value);
    let shared = &standing.allocation.resources.shared;
    let own = shared.ports.iter().find(|port| port.label == label).map(|port| (port.host_ip.clone(), value(port.value, port.to)));
    let of_tasks = || {
        let networks = standing.allocation.resources.tasks.values().flat_map(|task| task.networks.iter());
        networks
            .flat_map(|network| network.ports().map(|port| (network.ip.clone(), port)))
            .find(|(_, port)| port.label == label)
            .map(|(ip, port)| (ip, value(port.value, port.to)))
    };
    let (ip, port) = own.or_else(of_tasks).unwrap_or_else(|| (String::new(), label.parse().unwrap_or(0)));
    let own_network = standing.allocation.network_status.as_ref().map(|status| status.address.clone());
    match own_network.filter(|address| inside && !address.is_empty()) {
        Some(address) => (address, port),
        None if ip.is_empty() => (standing.host_ip.to_owned(), port),
        None => (ip, port),
    }
}

/// What the service logs in with where it needs a token of its own.
fn identity(service: &Service, task: Option<&Task>) -> ServiceIdentity {
    let declared = service.identity.clone().map(|identity| {
        let name = if identity.name.is_empty() { format!("consul-service_{}", service.name) } else { identity.name };
        (name, identity.audience.0, identity.ttl)
    });
    let (name, audience, ttl) = declared.unwrap_or_default();
    let task = task.map(|task| task.name.clone()).unwrap_or_default();
    ServiceIdentity { name, service: service.name.clone(), task, audience, ttl }
}

struct Checked<'a> {
    standing: &'a Standing<'a>,
    service: &'a Service,
    environment: &'a Environment,
    id: &'a str,
    task: Option<&'a str>,
    address: &'a str,
    port: u16,
}

impl Checked<'_> {
    fn check(&self, check: &Check, position: usize) -> (CatalogueCheck, Watched) {
        let text = |text: &String| self.environment.interpolate(text);
        let name = if check.name.is_empty() { format!("service: {:?} check", text(&self.service.name)) } else { text(&check.name) };
        let id = check_id(self.id, &name, position);
        let restart = check.check_restart.clone().filter(|restart| restart.limit > 0);
        let script = matches!(check.kind, CheckType::Script)
            .then(|| std::iter::once(text(&check.command)).chain(check.args.iter().map(text)).collect());
        let named = [self.task.unwrap_or_default(), &check.task_name, &self.service.task_name].into_iter().find(|name| !name.is_empty());
        // A service of the group belongs to the only task, when there is one.
        let only = || self.standing.group.tasks.first().filter(|_| self.standing.group.tasks.len() == 1).map(|task| task.name.as_str());
        let on_update = if check.on_update.is_empty() { &self.service.on_update } else { &check.on_update };
        let watched = Watched {
            id: id.clone(),
            name: name.clone(),
            task: named.or_else(only).unwrap_or_default().to_owned(),
            restart,
            interval: check.interval,
            timeout: check.timeout,
            on_update: OnUpdate::parse(on_update),
            script,
        };
        let catalogue = CatalogueCheck {
            id,
            name,
            kind: self.kind(check),
            interval: check.interval,
            timeout: check.timeout,
            initial_status: initial(&check.initial_status),
            success_before_passing: check.success_before_passing,
            failures_before_warning: check.failures_before_warning,
            failures_before_critical: check.failures_before_critical,
            notes: text(&check.notes),
            deregister_after: None,
        };
        (catalogue, watched)
    }

    fn kind(&self, check: &Check) -> CheckKind {
        let text = |text: &String| self.environment.interpolate(text);
        let (ip, port) = if check.port_label.is_empty() {
            (self.address.to_owned(), self.port)
        } else {
            let mode = if check.address_mode.is_empty() { &self.service.address_mode } else { &check.address_mode };
            resolve(self.standing, &text(&check.port_label), mode)
        };
        let address = host_and_port(&ip, port);
        match check.kind {
            CheckType::Http => {
                let protocol = if check.protocol.is_empty() { "http" } else { &check.protocol };
                let path = text(&check.path);
                let path = path.strip_prefix('/').unwrap_or(&path);
                let headers = check.header.iter().map(|(key, values)| (text(key), values.iter().map(text).collect())).collect();
                CheckKind::Http {
                    url: format!("{protocol}://{address}/{path}"),
                    method: if check.method.is_empty() { "GET".to_owned() } else { check.method.clone() },
                    headers,
                    body: text(&check.body),
                    tls_server_name: check.tls_server_name.clone(),
                    tls_skip_verify: check.tls_skip_verify,
                }
            }
            CheckType::Tcp => CheckKind::Tcp { address },
            CheckType::Grpc => CheckKind::Grpc {
                address,
                service: text(&check.grpc_service),
                tls: check.grpc_use_tls,
                tls_server_name: check.tls_server_name.clone(),
                tls_skip_verify: check.tls_skip_verify,
            },
            CheckType::Script | CheckType::Ttl => CheckKind::Reported { ttl: check.interval + check.timeout + REPORT_SLACK },
        }
    }
}

fn initial(text: &str) -> Option<CheckStatus> {
    match text {
        "passing" => Some(CheckStatus::Passing),
        "warning" => Some(CheckStatus::Warning),
        "critical" => Some(CheckStatus::Critical),
        _ => None,
    }
}

/// Consul's own namespace, which its enterprise form alone has: none unless the job asks for one. (A service's `namespace` is the orchestrator's.)
fn consul_namespace(standing: &Standing<'_>, task: Option<&Task>) -> String {
    let used = task.and_then(|task| task.consul.as_ref()).or(standing.group.consul.as_ref());
    let asked = used.map(|consul| consul.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    asked.unwrap_or(&standing.allocation.job.consul_namespace).to_owned()
}

#[cfg(test)]
mod tests;

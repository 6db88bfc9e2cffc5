//! From submitted values to values of their real types: an absent one leaves the default, one that does not fit its type is an error that names it.

use std::{fmt, time::Duration};

use serde::{
    Deserialize,
    de::{IntoDeserializer, value},
};

use super::*;
use crate::{
    ids::Name,
    job::{self, Job},
};

/// A value that its type cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit {
    /// The fields on the way to the value, the innermost first.
    path: Vec<&'static str>,
    what: String,
}

impl Misfit {
    fn new(what: String) -> Self {
        Self { path: Vec::new(), what }
    }

    fn inside(mut self, field: &'static str) -> Self {
        self.path.push(field);
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for field in self.path.iter().rev() {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// A submitted value that may take the place of a default.
trait Settle<T> {
    fn settle(self, into: &mut T) -> Result<(), Misfit>;
}

/// Gives a whole job its types. What only servers decide (status, version, indexes, ...) and the payload are not looked at.
pub(super) fn settle(spec: JobSpec) -> Result<Job, Misfit> {
    let mut job = Job::default();
    spec.settle(&mut job)?;
    Ok(job)
}

impl<A: Settle<T>, T> Settle<T> for Option<A> {
    fn settle(self, into: &mut T) -> Result<(), Misfit> {
        self.map_or(Ok(()), |given| given.settle(into))
    }
}

impl<A: Settle<T>, T: Default> Settle<List<T>> for List<A> {
    fn settle(self, into: &mut List<T>) -> Result<(), Misfit> {
        if !self.is_empty() {
            into.0 = self.into_iter().map(settled).collect::<Result<_, _>>()?;
        }
        Ok(())
    }
}

impl<V> Settle<Map<V>> for Map<V> {
    fn settle(self, into: &mut Map<V>) -> Result<(), Misfit> {
        if !self.is_empty() {
            *into = self;
        }
        Ok(())
    }
}

/// A driver's settings, which stay as they are.
impl Settle<Option<serde_json::Map<String, Value>>> for Map<Value> {
    fn settle(self, into: &mut Option<serde_json::Map<String, Value>>) -> Result<(), Misfit> {
        if !self.is_empty() {
            *into = Some(self.into_iter().collect());
        }
        Ok(())
    }
}

fn settled<A: Settle<T>, T: Default>(given: A) -> Result<T, Misfit> {
    let mut value = T::default();
    given.settle(&mut value)?;
    Ok(value)
}

/// Types that are the same before and after.
macro_rules! as_given {
    ($($ty:ty),* $(,)?) => {$(
        impl Settle<$ty> for $ty {
            fn settle(self, into: &mut $ty) -> Result<(), Misfit> {
                *into = self;
                Ok(())
            }
        }
        impl Settle<Option<$ty>> for $ty {
            fn settle(self, into: &mut Option<$ty>) -> Result<(), Misfit> {
                *into = Some(self);
                Ok(())
            }
        }
    )*};
}
as_given!(String, bool, i64, Multiregion, Ui, Scaling, CsiPlugin, Action, Schedule, Secret, Connect, Numa);

macro_rules! number {
    ($($ty:ty),*) => {$(
        impl Settle<$ty> for i64 {
            fn settle(self, into: &mut $ty) -> Result<(), Misfit> {
                let misfit = |_| Misfit::new(format!("{self} is not within {} to {}", <$ty>::MIN, <$ty>::MAX));
                *into = <$ty>::try_from(self).map_err(misfit)?;
                Ok(())
            }
        }
    )*};
}
number!(i8, u8, u16, u32, u64);

/// Words of which only some are known.
macro_rules! word {
    ($($ty:ty),*) => {$(
        impl Settle<$ty> for String {
            fn settle(self, into: &mut $ty) -> Result<(), Misfit> {
                let word: value::StrDeserializer<'_, value::Error> = self.as_str().into_deserializer();
                *into = <$ty>::deserialize(word).map_err(|error| Misfit::new(error.to_string()))?;
                Ok(())
            }
        }
    )*};
}
word!(
    job::JobType,
    job::Operand,
    job::RestartMode,
    job::DelayFunction,
    job::HealthCheck,
    job::LifecycleHook,
    job::ChangeMode,
    job::Provider,
    job::CheckType
);

impl Settle<Name> for String {
    fn settle(self, into: &mut Name) -> Result<(), Misfit> {
        *into = self.as_str().into();
        Ok(())
    }
}

impl Settle<Duration> for Nanos {
    fn settle(self, into: &mut Duration) -> Result<(), Misfit> {
        *into = self.to_duration();
        Ok(())
    }
}

impl Settle<Option<Duration>> for Nanos {
    fn settle(self, into: &mut Option<Duration>) -> Result<(), Misfit> {
        *into = Some(self.to_duration());
        Ok(())
    }
}

macro_rules! place {
    ($block:ident, $field:ident) => {
        $block.$field
    };
    ($block:ident, $field:ident => $target:ident) => {
        $block.$target
    };
}

/// A block and its typed form: which field becomes which. A field without a second name keeps its own.
macro_rules! blocks {
    ($($from:ty => $to:ty { $($field:ident $(=> $target:ident)?),* $(,)? })*) => {$(
        impl Settle<$to> for $from {
            fn settle(self, into: &mut $to) -> Result<(), Misfit> {
                $(self.$field.settle(&mut place!(into, $field $(=> $target)?)).map_err(|misfit| misfit.inside(stringify!($field)))?;)*
                Ok(())
            }
        }
        impl Settle<Option<$to>> for $from {
            fn settle(self, into: &mut Option<$to>) -> Result<(), Misfit> {
                *into = Some(settled(self)?);
                Ok(())
            }
        }
    )*};
}

blocks! {
    JobSpec => Job {
        region, namespace, id, parent_id, name, kind, priority, all_at_once, datacenters, node_pool, constraints, affinities, spreads, task_groups,
        update, multiregion, periodic, parameterized => parameterized_job, meta, ui, consul_namespace, vault_namespace, stop,
    }
    TaskGroup => job::TaskGroup {
        name, count, constraints, affinities, spreads, networks, services, volumes, tasks, ephemeral_disk, restart => restart_policy,
        reschedule => reschedule_policy, update, migrate, disconnect, scaling, consul, meta, shutdown_delay, max_run_duration,
        stop_after_client_disconnect, max_client_disconnect, prevent_reschedule_on_lost,
    }
    Task => job::Task {
        name, driver, user, lifecycle, config, constraints, affinities, env, services, resources, restart => restart_policy, meta, kill_timeout,
        kill_signal, log_config, artifacts, vault, consul, templates, dispatch_payload, volume_mounts, csi_plugin => csi_plugin_config, leader,
        shutdown_delay, scaling_policies, kind, identity, identities, actions, schedule, secrets,
    }
    Constraint => job::Constraint { left, right, operand }
    Affinity => job::Affinity { left, right, operand, weight }
    Spread => job::Spread { attribute, weight, targets => spread_target }
    SpreadTarget => job::SpreadTarget { value, percent }
    Periodic => job::Periodic { enabled, spec, specs, spec_type, prohibit_overlap, time_zone }
    Parameterized => job::ParameterizedJob { payload, meta_required, meta_optional }
    Update => job::UpdateStrategy {
        stagger, max_parallel, health_check, min_healthy_time, healthy_deadline, progress_deadline, auto_revert, auto_promote, canary,
    }
    Migrate => job::MigrateStrategy { max_parallel, health_check, min_healthy_time, healthy_deadline }
    Restart => job::RestartPolicy { attempts, interval, delay, mode, render_templates }
    Reschedule => job::ReschedulePolicy { attempts, interval, delay, delay_function, max_delay, unlimited }
    Disconnect => job::DisconnectStrategy { lost_after, stop_on_client_after, replace, reconcile }
    EphemeralDisk => job::EphemeralDisk { size_mb => size_mib, sticky, migrate }
    Network => job::NetworkResource { mode, device, cidr, ip, hostname, mbits, dns, reserved_ports, dynamic_ports }
    Dns => job::DnsConfig { servers, searches, options }
    Port => job::Port { label, value, to, host_network, ignore_collision }
    Consul => job::ConsulUse { namespace, cluster, partition }
    Service => job::Service {
        name, task_name, port_label, address_mode, address, provider, cluster, tags, canary_tags, meta, canary_meta, tagged_addresses,
        enable_tag_override, on_update, weights, checks, connect, identity, kind,
    }
    Weights => job::Weights { passing, warning }
    Check => job::Check {
        name, kind, command, args, path, protocol, port_label, address_mode, advertise, expose, interval, timeout, initial_status, tls_server_name,
        tls_skip_verify, method, header, body, check_restart, grpc_service, grpc_use_tls, task_name, success_before_passing,
        failures_before_critical, failures_before_warning, on_update, notes,
    }
    CheckRestart => job::CheckRestart { limit, grace, ignore_warnings }
    Lifecycle => job::Lifecycle { hook, sidecar }
    Resources => job::Resources {
        cpu => cpu_mhz, cores, memory_mb => memory_mib, memory_max_mb => memory_max_mib, disk_mb => disk_mib, iops, networks, devices, numa,
        secrets_mb => secrets_mib,
    }
    Device => job::RequestedDevice { name, count, constraints, affinities }
    LogConfig => job::LogConfig { max_files, max_file_size_mb => max_file_size_mib, disabled }
    Artifact => job::Artifact {
        source => getter_source, options => getter_options, headers => getter_headers, mode => getter_mode, insecure => getter_insecure,
        destination => relative_dest, chown,
    }
    Template => job::Template {
        source => source_path, destination => dest_path, data => embedded_tmpl, change_mode, change_signal, change_script, once, splay, perms, uid,
        gid, left_delimiter => left_delim, right_delimiter => right_delim, env => envvars, vault_grace, wait,
        error_on_missing_key => err_missing_key, engine,
    }
    ChangeScript => job::ChangeScript { command, args, timeout, fail_on_error, run_on_first_render }
    Wait => job::WaitConfig { min, max }
    Vault => job::VaultUse {
        role, policies, namespace, cluster, env, disable_file, change_mode, change_signal, allow_token_expiration,
    }
    Identity => job::WorkloadIdentity {
        name, audience, change_mode, change_signal, env, file, filepath, service_name, ttl, extra_claims,
    }
    DispatchPayload => job::DispatchPayload { file }
    VolumeMount => job::VolumeMount { volume, destination, read_only, propagation_mode, selinux_label }
}

#[cfg(test)]
mod tests;

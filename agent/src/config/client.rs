//! The `client` block.

use std::path::PathBuf;

use super::{
    ArtifactSection, ClientSection, ConfigError, DrainOnShutdown, HostNetworkSection, HostVolumeSection, Reserved, TemplateSection,
    misc::bytes, section::Section, server, set, set_some,
};

pub(super) fn apply(section: &mut Section, client: &mut ClientSection) -> Result<(), ConfigError> {
    set(&mut client.enabled, section.flag("enabled")?);
    set_some(&mut client.state_dir, section.text("state_dir")?.map(PathBuf::from));
    set_some(&mut client.alloc_dir, section.text("alloc_dir")?.map(PathBuf::from));
    set_some(&mut client.host_volumes_dir, section.text("host_volumes_dir")?.map(PathBuf::from));
    client.servers.extend(section.texts("servers")?.unwrap_or_default());
    server::join(section, &mut client.join)?;
    set(&mut client.node_class, section.text("node_class")?);
    set(&mut client.node_pool, section.text("node_pool")?);
    client.meta.append(&mut section.map("meta")?);
    client.options.append(&mut section.map("options")?);
    set_some(&mut client.network_interface, section.text("network_interface")?.filter(|name| !name.is_empty()));
    set(&mut client.network_speed, section.number("network_speed")?);
    resources(section, client)?;
    garbage(section, client)?;
    section.each_labelled("host_volume", |name, volume| {
        let path = volume.text("path")?.ok_or_else(|| ConfigError::Conflict(format!("client.host_volume {name:?}: path is missing")))?;
        let read_only = volume.flag("read_only")?.unwrap_or(false);
        client.host_volumes.insert(name, HostVolumeSection { path: path.into(), read_only });
        Ok(())
    })?;
    section.each_labelled("host_network", |name, network| {
        let text = |value: Option<String>| value.unwrap_or_default();
        let (cidr, interface) = (text(network.text("cidr")?), text(network.text("interface")?));
        let reserved_ports = text(network.text("reserved_ports")?);
        client.host_networks.insert(name, HostNetworkSection { cidr, interface, reserved_ports });
        Ok(())
    })?;
    section.each("template", |block| template(block, &mut client.template))?;
    section.each("artifact", |block| artifact(block, &mut client.artifact))?;
    section.each("drain_on_shutdown", |block| {
        let deadline = block.duration("deadline")?.unwrap_or(std::time::Duration::from_secs(3600));
        let (force, ignore) = (block.flag("force")?, block.flag("ignore_system_jobs")?);
        client.drain_on_shutdown =
            Some(DrainOnShutdown { deadline, force: force.unwrap_or(false), ignore_system_jobs: ignore.unwrap_or(false) });
        Ok(())
    })?;
    set_some(&mut client.cgroup_parent, section.text("cgroup_parent")?.filter(|parent| !parent.is_empty()));
    set(&mut client.disable_remote_exec, section.flag("disable_remote_exec")?);
    set(&mut client.default_ineligible, section.flag("default_ineligible")?);
    understood(section)
}

fn resources(section: &mut Section, client: &mut ClientSection) -> Result<(), ConfigError> {
    let detected = |value: Option<u64>| value.filter(|amount| *amount > 0);
    set_some(&mut client.cpu_total_compute, detected(section.number("cpu_total_compute")?));
    set_some(&mut client.memory_total_mb, detected(section.number("memory_total_mb")?));
    set_some(&mut client.disk_total_mb, detected(section.number("disk_total_mb")?));
    set_some(&mut client.disk_free_mb, detected(section.number("disk_free_mb")?));
    set_some(&mut client.reservable_cores, section.text("reservable_cores")?.filter(|cores| !cores.is_empty()));
    section.each("reserved", |block| reserved(block, &mut client.reserved))?;
    set(&mut client.max_kill_timeout, section.duration("max_kill_timeout")?);
    set(&mut client.min_dynamic_port, section.number("min_dynamic_port")?);
    set(&mut client.max_dynamic_port, section.number("max_dynamic_port")?);
    set(&mut client.node_max_allocs, section.number("node_max_allocs")?);
    if client.min_dynamic_port == 0 || client.min_dynamic_port > client.max_dynamic_port {
        let (min, max) = (client.min_dynamic_port, client.max_dynamic_port);
        return Err(ConfigError::Conflict(format!(
            "client: min_dynamic_port {min} must be at least 1 and not above max_dynamic_port {max}"
        )));
    }
    Ok(())
}

fn reserved(block: &mut Section, reserved: &mut Reserved) -> Result<(), ConfigError> {
    set(&mut reserved.cpu_mhz, block.number("cpu")?);
    set(&mut reserved.memory_mb, block.number("memory")?);
    set(&mut reserved.disk_mb, block.number("disk")?);
    set(&mut reserved.cores, block.text("cores")?);
    set(&mut reserved.ports, block.text("reserved_ports")?);
    Ok(())
}

fn garbage(section: &mut Section, client: &mut ClientSection) -> Result<(), ConfigError> {
    set(&mut client.gc_interval, section.duration("gc_interval")?);
    set(&mut client.gc_disk_usage_threshold, section.float("gc_disk_usage_threshold")?);
    set(&mut client.gc_inode_usage_threshold, section.float("gc_inode_usage_threshold")?);
    set(&mut client.gc_max_allocs, section.number("gc_max_allocs")?);
    set(&mut client.gc_parallel_destroys, section.number("gc_parallel_destroys")?);
    section.accepted(&["gc_volumes_on_node_gc"]);
    Ok(())
}

fn template(block: &mut Section, template: &mut TemplateSection) -> Result<(), ConfigError> {
    set(&mut template.function_denylist, block.texts("function_denylist")?);
    set(&mut template.disable_file_sandbox, block.flag("disable_file_sandbox")?);
    set(&mut template.max_stale, block.duration("max_stale")?);
    set(&mut template.block_query_wait, block.duration("block_query_wait")?);
    set(&mut template.vault_default_lease_duration, block.duration("vault_default_lease_duration")?);
    block.each("wait", |wait| {
        set_some(&mut template.wait_min, wait.duration("min")?);
        set_some(&mut template.wait_max, wait.duration("max")?);
        wait.accepted(&["enabled"]);
        Ok(())
    })?;
    // Retries are decided by what failed, for as long as the task runs; there is nothing to set.
    block.accepted(&["wait_bounds", "consul_retry", "vault_retry", "nomad_retry", "use_client_consul_token", "function_blacklist"]);
    Ok(())
}

fn artifact(block: &mut Section, artifact: &mut ArtifactSection) -> Result<(), ConfigError> {
    set(&mut artifact.http_read_timeout, block.duration("http_read_timeout")?);
    set(&mut artifact.decompression_file_count_limit, block.number("decompression_file_count_limit")?);
    if let Some(text) = block.text("http_max_size")? {
        artifact.http_max_size = bytes("client.artifact.http_max_size", &text)?;
    }
    if let Some(text) = block.text("decompression_size_limit")? {
        artifact.decompression_size_limit = bytes("client.artifact.decompression_size_limit", &text)?;
    }
    block.accepted(&[
        "gcs_timeout",
        "git_timeout",
        "hg_timeout",
        "s3_timeout",
        "disable_artifact_inspection",
        "disable_filesystem_isolation",
        "filesystem_isolation_extra_paths",
        "set_environment_variables",
    ]);
    Ok(())
}

/// Keys of things that are decided otherwise here, or that nothing depends on.
fn understood(section: &mut Section) -> Result<(), ConfigError> {
    section.accepted(&[
        "alloc_mounts_dir",
        "host_volume_plugin_dir",
        "common_plugin_dir",
        "chroot_env",
        "preferred_address_family",
        "client_min_port",
        "client_max_port",
        "no_host_uuid",
        "bind_wildcard_default_host_network",
        "bridge_network_name",
        "bridge_network_subnet",
        "bridge_network_subnet_ipv6",
        "bridge_network_hairpin_mode",
        "cni_path",
        "cni_config_dir",
        "nomad_service_discovery",
        "cpu_disable_dmidecode",
        "log_file",
        "intro_token",
    ]);
    section.each("users", |users| {
        users.accepted(&["dynamic_user_min", "dynamic_user_max"]);
        Ok(())
    })?;
    section.each_labelled("fingerprint", |_, block| {
        block.accepted(&["retry_interval", "retry_attempts", "exit_on_failure"]);
        Ok(())
    })
}

//! Defaults of tasks.

use super::*;

const DEFAULT_CPU_MHZ: i64 = 100;
const DEFAULT_MEMORY_MB: i64 = 300;
const DEFAULT_LOG_FILES: i64 = 10;
const DEFAULT_LOG_FILE_MB: i64 = 10;
const DEFAULT_KILL_TIMEOUT: Nanos = Nanos::seconds(5);

impl Task {
    pub(super) fn canonicalize(&mut self, job: &str, group: &str, group_restart: &Restart) {
        fill(&mut self.kill_timeout, DEFAULT_KILL_TIMEOUT);
        self.resources.get_or_insert_default().canonicalize();
        self.log_config.get_or_insert_default().canonicalize();
        let mut restart = group_restart.clone();
        if let Some(own) = &self.restart {
            restart.overlay(own);
        }
        self.restart = Some(restart);
        affinities(&mut self.affinities);
        self.artifacts.0.iter_mut().for_each(Artifact::canonicalize);
        self.templates.0.iter_mut().for_each(Template::canonicalize);
        self.volume_mounts.0.iter_mut().for_each(VolumeMount::canonicalize);
        if let Some(vault) = &mut self.vault {
            vault.canonicalize();
        }
        if let Some(consul) = &mut self.consul {
            fill_text(&mut consul.cluster, "default");
        }
        if let Some(plugin) = &mut self.csi_plugin {
            fill_text(&mut plugin.mount_dir, "/csi");
            fill_text(&mut plugin.stage_publish_base_dir, "/local/csi");
            if plugin.health_timeout.0 == 0 {
                plugin.health_timeout = Nanos::seconds(30);
            }
        }
        for scaling in &mut self.scaling_policies.0 {
            fill(&mut scaling.enabled, true);
        }
        for service in &mut self.services.0 {
            service.canonicalize(&[job, group, &self.name]);
        }
    }
}

impl Resources {
    pub(super) fn canonicalize(&mut self) {
        fill(&mut self.cores, 0);
        // Whole cores bring their own share of the CPU.
        fill(&mut self.cpu, if self.cores == Some(0) { DEFAULT_CPU_MHZ } else { 0 });
        fill(&mut self.memory_mb, DEFAULT_MEMORY_MB);
        for device in &mut self.devices.0 {
            fill(&mut device.count, 1);
            affinities(&mut device.affinities);
        }
        if let Some(numa) = &mut self.numa {
            fill_text(&mut numa.affinity, "none");
        }
    }
}

impl LogConfig {
    pub(super) fn canonicalize(&mut self) {
        fill(&mut self.max_files, DEFAULT_LOG_FILES);
        fill(&mut self.max_file_size_mb, DEFAULT_LOG_FILE_MB);
        fill(&mut self.disabled, false);
    }
}

impl Artifact {
    fn canonicalize(&mut self) {
        fill(&mut self.source, "");
        fill(&mut self.mode, "any");
        fill(&mut self.insecure, false);
        if self.destination.is_none() {
            let source = self.source.as_deref().unwrap_or_default();
            let path = source.split(['?', '#']).next().unwrap_or_default();
            self.destination = Some(match self.mode.as_deref() {
                Some("file") => format!("local/{}", path.rsplit('/').next().unwrap_or_default()),
                _ => "local/".to_owned(),
            });
        }
    }
}

impl Template {
    fn canonicalize(&mut self) {
        for text in [&mut self.source, &mut self.destination, &mut self.data] {
            fill(text, "");
        }
        fill(&mut self.change_mode, "restart");
        let default_signal = if self.change_mode.as_deref() == Some("signal") { "SIGHUP" } else { "" };
        self.change_signal = Some(self.change_signal.as_deref().unwrap_or(default_signal).to_uppercase());
        fill(&mut self.splay, Nanos::seconds(5));
        fill(&mut self.perms, "0644");
        fill(&mut self.left_delimiter, "{{");
        fill(&mut self.right_delimiter, "}}");
        fill(&mut self.env, false);
        fill(&mut self.error_on_missing_key, false);
        fill(&mut self.once, false);
        fill(&mut self.vault_grace, Nanos(0));
        if let Some(script) = &mut self.change_script {
            fill(&mut script.command, "");
            fill(&mut script.timeout, Nanos::seconds(5));
        }
    }
}

impl VolumeMount {
    pub(super) fn canonicalize(&mut self) {
        fill(&mut self.read_only, false);
        fill(&mut self.propagation_mode, "private");
        fill(&mut self.selinux_label, "");
    }
}

impl Vault {
    fn canonicalize(&mut self) {
        fill(&mut self.env, true);
        fill(&mut self.disable_file, false);
        fill(&mut self.namespace, "");
        fill_text(&mut self.cluster, "default");
        fill(&mut self.change_mode, "restart");
        fill(&mut self.change_signal, "SIGHUP");
        fill(&mut self.allow_token_expiration, false);
    }
}

impl SidecarTask {
    pub(super) fn canonicalize(&mut self) {
        fill(&mut self.kill_timeout, DEFAULT_KILL_TIMEOUT);
        fill(&mut self.shutdown_delay, Nanos(0));
        self.log_config.get_or_insert_default().canonicalize();
        if let Some(resources) = &mut self.resources {
            resources.canonicalize();
        }
        self.volume_mounts.0.iter_mut().for_each(VolumeMount::canonicalize);
    }
}

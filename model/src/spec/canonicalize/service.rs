//! Defaults of services and checks.

use super::*;

impl Service {
    /// `owner` names the job, the group and, for a task's service, the task.
    pub(super) fn canonicalize(&mut self, owner: &[&str]) {
        if self.name.is_empty() {
            self.name = owner.join("-");
        }
        fill_text(&mut self.address_mode, "auto");
        fill_text(&mut self.on_update, "require_healthy");
        fill_text(&mut self.provider, "consul");
        fill_text(&mut self.cluster, "default");
        for check in &mut self.checks.0 {
            fill_text(&mut check.on_update, &self.on_update);
            merge_check_restart(&mut check.check_restart, self.check_restart.as_ref());
        }
        if let Some(connect) = &mut self.connect {
            connect.canonicalize();
        }
    }
}

/// What the service says about restarts holds for each check that does not say it itself.
fn merge_check_restart(own: &mut Option<CheckRestart>, service: Option<&CheckRestart>) {
    if own.is_none() && service.is_none() {
        return;
    }
    let merged = own.get_or_insert_default();
    if let Some(service) = service {
        if merged.limit == 0 {
            merged.limit = service.limit;
        }
        if merged.grace.is_none() {
            merged.grace = service.grace;
        }
        merged.ignore_warnings |= service.ignore_warnings;
    }
    fill(&mut merged.grace, Nanos::seconds(1));
}

impl Connect {
    fn canonicalize(&mut self) {
        if let Some(task) = &mut self.sidecar_task {
            task.canonicalize();
        }
        if let Some(gateway) = &mut self.gateway {
            let proxy = gateway.proxy.get_or_insert_default();
            fill(&mut proxy.connect_timeout, Nanos::seconds(5));
        }
    }
}

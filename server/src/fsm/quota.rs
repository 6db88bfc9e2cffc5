//! Quotas.

use drover_model::quota::StoredQuota;

use super::{Change, Done, Refusal};

impl Change<'_> {
    pub(super) fn quota_put(&mut self, mut quota: StoredQuota) -> Done {
        let name = quota.spec.name.clone();
        let known = self.state.quota(&name);
        if known.is_some_and(|known| known.spec.hash == quota.spec.hash && known.region == quota.region) {
            return Ok(());
        }
        quota.spec.create_index = known.map_or(self.index, |known| known.spec.create_index);
        quota.spec.modify_index = self.index;
        self.state.put_quota(quota);
        self.quotas.insert(name);
        Ok(())
    }

    /// Refused while a namespace names it: checked here, where nothing can come in between.
    pub(super) fn quota_delete(&mut self, name: &str) -> Done {
        if let Some(namespace) = self.state.namespaces_under(name).next() {
            return Err(Refusal::invalid(format!(
                "quota {name:?} counts for namespace {:?}: give that another quota, or none",
                namespace.name
            )));
        }
        match self.state.remove_quota(name) {
            Some(_) => Ok(()),
            None => Err(Refusal::not_found("quota")),
        }
    }

    /// Allocations of a namespace hold less than before.
    pub(super) fn unblock_quota_of(&mut self, namespace: &str) {
        if let Some(quota) = self.state.quota_of(namespace).filter(|quota| !self.quotas.contains(*quota)) {
            let quota = quota.to_owned();
            self.quotas.insert(quota);
        }
    }

    /// Refuses a variable of so many bytes in place of one of `before` bytes, where the namespace's quota has no room for it.
    pub(super) fn check_variables_quota(&self, namespace: &str, bytes: usize, before: usize) -> Done {
        let Some(quota) = self.state.quota_of(namespace).and_then(|name| self.state.quota(name)) else { return Ok(()) };
        let limit = quota.limit().map_or(0, |limit| limit.variables_mib());
        if limit == 0 || bytes <= before {
            return Ok(());
        }
        let limit = u64::try_from(limit).unwrap_or(0) << 20;
        let used = self.state.variables_under(&quota.spec.name).saturating_sub(before as u64);
        if used + bytes as u64 <= limit {
            return Ok(());
        }
        let message = format!("quota {:?} is reached: variables may take {} MiB in all", quota.spec.name, limit >> 20);
        Err(Refusal::Refused { status: 403, message })
    }
}

//! The embedded catalogue, key-value store and secrets, keys, and the scheduler's settings.

use drover_model::{
    ids::{AllocId, KeyId, NodeId},
    kv::{KvEntry, SealedVersion, StoredSecret},
    rpc::autopilot::AutopilotConfig,
    service::ServiceRegistration,
};

use super::{Change, Done, Effect, Refusal};
use crate::{
    identity::{StoredCa, StoredKey},
    state::SchedulerConfig,
};

/// Versions of one secret that are kept.
const SECRET_VERSIONS: usize = 10;

impl Change<'_> {
    pub(super) fn services_upsert(&mut self, services: Vec<ServiceRegistration>) -> Done {
        for mut service in services {
            let known = self.state.service(&service.id);
            // A late message must not bring back what an allocation offered that has ended.
            if self.state.allocation(service.alloc_id).is_none_or(|allocation| allocation.is_client_terminal()) {
                continue;
            }
            service.create_index = known.map_or(self.index, |known| known.create_index);
            service.modify_index = known.map_or(self.index, |known| known.modify_index);
            if known.is_some_and(|known| **known == service) {
                continue;
            }
            service.modify_index = self.index;
            self.state.put_service(service);
        }
        Ok(())
    }

    pub(super) fn services_remove(&mut self, ids: &[String]) -> Done {
        for id in ids {
            self.state.remove_service(id);
        }
        Ok(())
    }

    pub(super) fn remove_services_of(&mut self, id: AllocId) {
        let ids: Vec<_> = self.state.services_of_allocation(id).map(|service| service.id.clone()).collect();
        for id in ids {
            self.state.remove_service(&id);
        }
    }

    pub(super) fn remove_services_of_node(&mut self, id: NodeId) {
        let ids: Vec<_> = self.state.services_of_node(id).map(|service| service.id.clone()).collect();
        for id in ids {
            self.state.remove_service(&id);
        }
    }

    pub(super) fn kv_put(&mut self, key: String, value: Vec<u8>, flags: u64, check: Option<u64>) -> Done {
        let known = self.state.kv(&key);
        let found = known.map_or(0, |entry| entry.modify_index);
        if check.is_some_and(|expected| expected != found) {
            return Err(Refusal::Conflict { found });
        }
        // The same value again is no change: whoever watches is not woken.
        if known.is_some_and(|entry| entry.value == value && entry.flags == flags) {
            return Ok(());
        }
        let (create_index, lock_index) = known.map_or((self.index, 0), |entry| (entry.create_index, entry.lock_index));
        self.state.put_kv(KvEntry { lock_index, key, flags, value, create_index, modify_index: self.index });
        Ok(())
    }

    pub(super) fn kv_delete(&mut self, key: &str, recurse: bool, check: Option<u64>) -> Done {
        if recurse {
            let keys: Vec<_> = self.state.kv_with_prefix(key).map(|entry| entry.key.clone()).collect();
            for key in keys {
                self.state.remove_kv(&key);
            }
            return Ok(());
        }
        let found = self.state.kv(key).map_or(0, |entry| entry.modify_index);
        if check.is_some_and(|expected| expected != found) {
            return Err(Refusal::Conflict { found });
        }
        self.state.remove_kv(key);
        Ok(())
    }

    pub(super) fn secret_put(&mut self, path: String, version: SealedVersion, check: Option<u64>) -> Done {
        let known = self.state.secret(&path);
        let found = known.map_or(0, |secret| secret.current);
        if check.is_some_and(|expected| expected != found) {
            return Err(Refusal::Conflict { found });
        }
        let mut secret = known.map_or_else(
            || StoredSecret { path, versions: Default::default(), current: 0, create_index: self.index, modify_index: self.index },
            |secret| StoredSecret::clone(secret),
        );
        secret.current = found.saturating_add(1);
        secret.modify_index = self.index;
        secret.versions.insert(secret.current, version);
        while secret.versions.len() > SECRET_VERSIONS {
            secret.versions.pop_first();
        }
        self.state.put_secret(secret);
        Ok(())
    }

    pub(super) fn secret_delete(&mut self, path: &str) -> Done {
        if self.state.remove_secret(path).is_none() {
            return Err(Refusal::not_found("secret"));
        }
        Ok(())
    }

    pub(super) fn key_upsert(&mut self, key: StoredKey) -> Done {
        self.state.put_key(key);
        Ok(())
    }

    pub(super) fn key_remove(&mut self, id: KeyId) -> Done {
        if self.state.remove_key(id).is_none() {
            return Err(Refusal::not_found("key"));
        }
        Ok(())
    }

    pub(super) fn ca_upsert(&mut self, ca: StoredCa) -> Done {
        // A new authority names the one that it takes the place of. When two are made at once, the first stands: it may have issued certificates already.
        if self.state.ca().map(|known| &known.certificate_pem) != ca.previous_pem.first() {
            return Err(Refusal::Conflict { found: 0 });
        }
        self.state.put_ca(ca);
        Ok(())
    }

    pub(super) fn autopilot_config(&mut self, config: AutopilotConfig, check: Option<u64>) -> Done {
        let known = self.state.autopilot_config();
        let found = known.modify_index;
        if check.is_some_and(|expected| expected != found) {
            return Err(Refusal::Conflict { found });
        }
        let create_index = if known.create_index == 0 { self.index } else { known.create_index };
        self.state.put_autopilot_config(AutopilotConfig { create_index, modify_index: self.index, ..config });
        Ok(())
    }

    pub(super) fn scheduler_config(&mut self, config: SchedulerConfig, check: Option<u64>) -> Done {
        let known = self.state.scheduler_config();
        let found = known.modify_index;
        if check.is_some_and(|expected| expected != found) {
            return Err(Refusal::Conflict { found });
        }
        let create_index = if known.create_index == 0 { self.index } else { known.create_index };
        self.state.put_scheduler_config(SchedulerConfig { create_index, modify_index: self.index, ..config });
        self.effects.push(Effect::SchedulerConfigChanged);
        Ok(())
    }
}

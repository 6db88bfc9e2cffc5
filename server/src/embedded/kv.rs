//! The key-value store, with the meaning that Consul's has.

use std::sync::Arc;

use drover_model::{
    kv::KvEntry,
    rpc::{
        Error, Read,
        embedded::{Checked, KvDelete, KvListKeys, KvPut},
        node::{KvGet, KvList},
    },
};

use super::Stores;
use crate::{
    fsm::command::{Applied, Command},
    state::TableId,
};

/// The largest value.
pub(super) const VALUE_LIMIT: usize = 512 << 10;
/// The longest key.
const KEY_LIMIT: usize = 512;

impl Stores {
    pub async fn kv_get(&self, request: KvGet) -> Result<Read<Option<Arc<KvEntry>>>, Error> {
        // A key has an index of its own, so that a change of another wakes nobody. A key that is gone has the table's.
        let look = |state: &crate::state::State| {
            let entry = state.kv(&request.key).cloned();
            Ok((entry.as_ref().map(|entry| entry.modify_index), entry))
        };
        self.read(TableId::Kv, &request.options, look).await
    }

    pub async fn kv_list(&self, request: KvList) -> Result<Read<Vec<Arc<KvEntry>>>, Error> {
        self.read(TableId::Kv, &request.options, |state| Ok((None, state.kv_with_prefix(&request.prefix).cloned().collect()))).await
    }

    pub async fn kv_keys(&self, request: KvListKeys) -> Result<Read<Vec<String>>, Error> {
        let look = |state: &crate::state::State| {
            let keys = state.kv_with_prefix(&request.prefix).map(|entry| entry.key.as_str());
            Ok((None, folded(keys, &request.prefix, &request.separator)))
        };
        self.read(TableId::Kv, &request.options, look).await
    }

    pub async fn kv_put(&self, request: KvPut) -> Result<Checked, Error> {
        if request.key.is_empty() {
            return Err(Error::bad_request("Missing key name"));
        }
        if request.key.len() > KEY_LIMIT || request.key.starts_with('/') {
            return Err(Error::bad_request(format!("the key must not begin with \"/\" nor be longer than {KEY_LIMIT} bytes")));
        }
        if request.value.len() > VALUE_LIMIT {
            return Err(Error::new(413, format!("Request body({} bytes) too large, max size: {VALUE_LIMIT} bytes", request.value.len())));
        }
        let command = Command::KvPut { key: request.key, value: request.value, flags: request.flags, check: request.check };
        checked(self.propose.propose(command).await?)
    }

    pub async fn kv_delete(&self, request: KvDelete) -> Result<Checked, Error> {
        if request.key.is_empty() && !request.recurse {
            return Err(Error::bad_request("Missing key name"));
        }
        checked(self.propose.propose(Command::KvDelete { key: request.key, recurse: request.recurse, check: request.check }).await?)
    }
}

/// A condition that did not hold is an answer.
pub(super) fn checked(applied: Applied) -> Result<Checked, Error> {
    match applied {
        Applied::Conflict { index, .. } => Ok(Checked { index, done: false }),
        applied => applied.accepted().map(|index| Checked { index, done: true }),
    }
}

/// Cuts keys off after the first separator behind the prefix, each result once.
fn folded<'a>(keys: impl Iterator<Item = &'a str>, prefix: &str, separator: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for key in keys {
        let rest = &key[prefix.len()..];
        let end = if separator.is_empty() { None } else { rest.find(separator).map(|at| prefix.len() + at + separator.len()) };
        let shown = &key[..end.unwrap_or(key.len())];
        if found.last().map(String::as_str) != Some(shown) {
            found.push(shown.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fold_at_the_separator() {
        let keys = ["shop/a", "shop/flags/beta", "shop/flags/theme", "shop/z"];
        for (prefix, separator, expected) in [
            ("shop/", "/", &["shop/a", "shop/flags/", "shop/z"] as &[&str]),
            ("", "/", &["shop/"]),
            ("shop/flags", "/", &["shop/flags/"]),
            ("shop/", "", &keys),
        ] {
            let below = keys.iter().copied().filter(|key| key.starts_with(prefix));
            assert_eq!(folded(below, prefix, separator), expected, "{prefix:?} {separator:?}");
        }
    }
}

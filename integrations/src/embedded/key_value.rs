//! The servers' key-value store.

use std::sync::Arc;

use drover_model::{
    kv::KvEntry,
    rpc::node::{KvGet, KvList},
};
use futures::future::BoxFuture;

use super::{ServerCalls, answer, ask, options};
use crate::{Answer, KeyValue, Query, Result};

#[derive(Debug)]
pub(super) struct EmbeddedKeyValue {
    pub(super) calls: Arc<dyn ServerCalls>,
}

impl KeyValue for EmbeddedKeyValue {
    fn get<'a>(&'a self, key: &'a str, query: &'a Query) -> BoxFuture<'a, Result<Answer<Option<KvEntry>>>> {
        Box::pin(async move {
            let request = KvGet { options: options(query), key: key.trim_start_matches('/').to_owned() };
            let read = ask("the read of a key", query, self.calls.kv_get(request)).await?;
            Ok(answer(read).map(|entry| entry.map(Arc::unwrap_or_clone)))
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<KvEntry>>>> {
        Box::pin(async move {
            let request = KvList { options: options(query), prefix: prefix.trim_start_matches('/').to_owned() };
            let read = ask("the read of keys", query, self.calls.kv_list(request)).await?;
            Ok(answer(read).map(|entries| entries.into_iter().map(Arc::unwrap_or_clone).collect()))
        })
    }
}

//! The key-value store.

use drover_model::kv::KvEntry;
use futures::future::BoxFuture;

use super::Consul;
use crate::{Access, Answer, KeyValue, Query, Result, http::encode};

#[derive(Debug)]
pub(super) struct ConsulKeyValue {
    pub(super) consul: Consul,
    pub(super) access: Access,
}

impl KeyValue for ConsulKeyValue {
    fn get<'a>(&'a self, key: &'a str, query: &'a Query) -> BoxFuture<'a, Result<Answer<Option<KvEntry>>>> {
        Box::pin(async move {
            let consul = self.consul.acting_as(&self.access);
            let answer: Answer<Vec<KvEntry>> = consul.ask(&path_of(key), query, &[], Some(Vec::new())).await?;
            Ok(answer.map(|entries| entries.into_iter().next()))
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, query: &'a Query) -> BoxFuture<'a, Result<Answer<Vec<KvEntry>>>> {
        Box::pin(async move {
            let consul = self.consul.acting_as(&self.access);
            consul.ask(&path_of(prefix), query, &[("recurse", "")], Some(Vec::new())).await
        })
    }
}

fn path_of(key: &str) -> String {
    format!("/v1/kv/{}", encode(key.trim_start_matches('/'), "/"))
}

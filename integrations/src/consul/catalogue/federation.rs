//! What newer Consuls, and those with admin partitions, know beyond the catalogue.

use serde::de::DeserializeOwned;

use super::{ConsulCatalogue, unsupported};
use crate::{
    Answer, Query, Result,
    catalogue::{ExportedService, ImportedService, Partition, Peering},
};

impl ConsulCatalogue {
    pub(super) async fn list_partitions(&self, query: &Query) -> Result<Answer<Vec<Partition>>> {
        let what = "a list of partitions (Consul Enterprise has them since 1.11)";
        let answer = self.list::<Partition>("/v1/partitions", what, query).await?;
        Ok(sorted_by(answer, |a, b| a.name.cmp(&b.name)))
    }

    pub(super) async fn list_peerings(&self, query: &Query) -> Result<Answer<Vec<Peering>>> {
        let answer = self.list::<Peering>("/v1/peerings", "a list of peerings (Consul has them since 1.13)", query).await?;
        Ok(sorted_by(answer, |a, b| (&a.partition, &a.name).cmp(&(&b.partition, &b.name))))
    }

    pub(super) async fn list_exported(&self, query: &Query) -> Result<Answer<Vec<ExportedService>>> {
        let what = "a list of exported services (Consul has it since 1.17)";
        let mut answer = self.list::<ExportedService>("/v1/exported-services", what, query).await?;
        for found in &mut answer.data {
            found.consumers.peers.sort();
            found.consumers.partitions.sort();
        }
        Ok(sorted_by(answer, |a, b| (&a.namespace, &a.service).cmp(&(&b.namespace, &b.service))))
    }

    pub(super) async fn list_imported(&self, query: &Query) -> Result<Answer<Vec<ImportedService>>> {
        let what = "a list of imported services (newer Consuls have it)";
        let answer = self.list::<ImportedService>("/v1/imported-services", what, query).await?;
        let key = |found: &ImportedService| {
            let ImportedService { service, namespace, source_partition, source_peer } = found.clone();
            (namespace, service, source_partition, source_peer)
        };
        Ok(sorted_by(answer, |a, b| key(a).cmp(&key(b))))
    }

    /// A list that not every Consul has; `what` it is, for the error that says so. One without items may come as `null`.
    async fn list<T: DeserializeOwned>(&self, path: &str, what: &str, query: &Query) -> Result<Answer<Vec<T>>> {
        let consul = self.consul();
        match consul.ask::<Option<Vec<T>>>(path, query, &[], None).await {
            Err(error) if error.is_unknown_call() => Err(unsupported(&consul, what)),
            answer => Ok(answer?.map(Option::unwrap_or_default)),
        }
    }
}

/// Consul's order is none, and a rendered file would change for nothing.
fn sorted_by<T>(mut answer: Answer<Vec<T>>, order: impl Fn(&T, &T) -> std::cmp::Ordering) -> Answer<Vec<T>> {
    answer.data.sort_by(order);
    answer
}

//! The stream of changes: two states compared, whenever there is a newer one.

use std::{collections::BTreeMap, time::Duration};

use drover_model::{
    ids::Name,
    json::List,
    rpc::{
        Error,
        event::{Event, EventBatch, EventStream},
    },
    secret::SecretText,
};
use drover_runtime::rpc::{Caller, ItemSink};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Server,
    state::{State, TableId},
};

/// How often a stream says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// The tables whose changes are told.
const TABLES: [TableId; 10] = [
    TableId::Jobs,
    TableId::Evaluations,
    TableId::Allocations,
    TableId::Deployments,
    TableId::Nodes,
    TableId::Services,
    TableId::Variables,
    TableId::NodePools,
    TableId::Quotas,
    TableId::Volumes,
];

impl Server {
    /// Tells of changes until the other end leaves. Every server can: what it tells is as new as its own state.
    pub async fn stream_events(&self, _caller: Caller, message: EventStream, sink: ItemSink<EventBatch>) -> Result<(), Error> {
        let mut before = self.store().snapshot();
        let mut seen = if message.index == 0 { before.index() } else { message.index.saturating_sub(1) };
        sink.send(&EventBatch::default()).await?;
        loop {
            let now = tokio::select! {
                now = self.store().wait_for(&TABLES, seen, HEARTBEAT) => now,
                () = self.stopping() => return Ok(()),
            };
            let batches = changes(&before, &now, seen, &message);
            if batches.is_empty() {
                sink.send(&EventBatch::default()).await?;
            }
            for batch in batches {
                sink.send(&batch).await?;
            }
            seen = seen.max(now.index());
            before = now;
        }
    }
}

/// What changed after index `seen`, by index.
fn changes(before: &State, now: &State, seen: u64, wanted: &EventStream) -> Vec<EventBatch> {
    let mut found = Found { wanted, by_index: BTreeMap::new() };
    found.rows(now, seen);
    found.gone(before, now);
    found.by_index.into_iter().map(|(index, events)| EventBatch { index, events }).collect()
}

struct Found<'a> {
    wanted: &'a EventStream,
    by_index: BTreeMap<u64, Vec<Event>>,
}

impl Found<'_> {
    /// Rows that are new or changed, in the order in which one change touches them.
    fn rows(&mut self, now: &State, seen: u64) {
        for row in now.evaluations().filter(|row| row.modify_index > seen) {
            let keys = [row.job_id.to_string()].into_iter().chain(row.deployment_id.map(|id| id.to_string())).collect();
            self.put("Evaluation", "EvaluationUpdated", row.id.to_string(), Some(&row.namespace), keys, row.modify_index, &**row);
        }
        for row in now.allocations().filter(|row| row.modify_index > seen) {
            let kind = if row.create_index == row.modify_index { "PlanResult" } else { "AllocationUpdated" };
            let keys = [row.job_id.to_string()].into_iter().chain(row.deployment_id.map(|id| id.to_string())).collect();
            // Without its job, which is told when it changes.
            let mut row = (**row).clone();
            row.job = drover_model::job::Job::placeholder();
            self.put("Allocation", kind, row.id.to_string(), Some(&row.namespace), keys, row.modify_index, &row);
        }
        for row in now.deployments().filter(|row| row.modify_index > seen) {
            let keys = vec![row.job_id.to_string()];
            self.put("Deployment", "DeploymentStatusUpdate", row.id.to_string(), Some(&row.namespace), keys, row.modify_index, &**row);
        }
        for row in now.jobs().filter(|row| row.modify_index > seen) {
            let kind = if row.stop { "JobDeregistered" } else { "JobRegistered" };
            self.put("Job", kind, row.id.to_string(), Some(&row.namespace), Vec::new(), row.modify_index, &**row);
        }
        for row in now.nodes().filter(|row| row.modify_index > seen) {
            let kind = if row.create_index == row.modify_index { "NodeRegistration" } else { "NodeEvent" };
            let row = drover_model::node::Node { secret_id: SecretText::default(), ..(**row).clone() };
            self.put("Node", kind, row.id.to_string(), None, Vec::new(), row.modify_index, &row);
        }
        for row in now.services().filter(|row| row.modify_index > seen) {
            let keys = vec![row.job_id.to_string(), row.service_name.to_string()];
            self.put("Service", "ServiceRegistration", row.id.clone(), Some(&row.namespace), keys, row.modify_index, &**row);
        }
        for row in now.node_pools().filter(|row| row.modify_index > seen) {
            self.put("NodePool", "NodePoolUpserted", row.name.clone(), None, Vec::new(), row.modify_index, &*row);
        }
        for row in now.quotas().map(|row| &row.spec).filter(|row| row.modify_index > seen) {
            self.put("Quota", "QuotaUpserted", row.name.clone(), None, Vec::new(), row.modify_index, row);
        }
        for row in now.volumes().filter(|row| row.modify_index > seen) {
            let id = row.id.map(|id| id.to_string()).unwrap_or_default();
            self.put("HostVolume", "HostVolumeRegistered", id, Some(&row.namespace), vec![row.name.clone()], row.modify_index, &**row);
        }
        for row in now.variables().filter(|row| row.modify_index > seen) {
            // Without its items, and without the lock's id, which is as good as a key.
            let shown = drover_model::variable::VariableMetadata { lock: None, ..row.metadata(row.modify_time) };
            self.put("Variable", "VariableUpdated", row.path.to_string(), Some(&row.namespace), Vec::new(), row.modify_index, &shown);
        }
    }

    /// Rows that are no longer there.
    fn gone(&mut self, before: &State, now: &State) {
        for row in before.jobs().filter(|row| now.job(&row.key()).is_none()) {
            let index = now.table_index(TableId::Jobs);
            self.put("Job", "JobDeregistered", row.id.to_string(), Some(&row.namespace), Vec::new(), index, &**row);
        }
        for row in before.nodes().filter(|row| now.node(row.id).is_none()) {
            let index = now.table_index(TableId::Nodes);
            let row = drover_model::node::Node { secret_id: SecretText::default(), ..(**row).clone() };
            self.put("Node", "NodeDeregistration", row.id.to_string(), None, Vec::new(), index, &row);
        }
        for row in before.node_pools().filter(|row| now.node_pool(&row.name).is_none()) {
            let index = now.table_index(TableId::NodePools);
            self.put("NodePool", "NodePoolDeleted", row.name.clone(), None, Vec::new(), index, &*row);
        }
        for row in before.quotas().map(|row| &row.spec).filter(|row| now.quota(&row.name).is_none()) {
            self.put("Quota", "QuotaDeleted", row.name.clone(), None, Vec::new(), now.table_index(TableId::Quotas), row);
        }
        for row in before.volumes().filter(|row| row.id.is_some_and(|id| now.volume(id).is_none())) {
            let (id, index) = (row.id.map(|id| id.to_string()).unwrap_or_default(), now.table_index(TableId::Volumes));
            self.put("HostVolume", "HostVolumeDeleted", id, Some(&row.namespace), vec![row.name.clone()], index, &**row);
        }
        for row in before.services().filter(|row| now.service(&row.id).is_none()) {
            let (index, keys) = (now.table_index(TableId::Services), vec![row.job_id.to_string(), row.service_name.to_string()]);
            self.put("Service", "ServiceDeregistration", row.id.clone(), Some(&row.namespace), keys, index, &**row);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "they are the event's fields, each from another place")]
    fn put(&mut self, topic: &str, kind: &str, key: String, namespace: Option<&Name>, keys: Vec<String>, index: u64, row: &impl Serialize) {
        let is_in = namespace.is_none_or(|namespace| &*self.wanted.namespace == "*" || self.wanted.namespace == *namespace);
        let is_named = |name: &str| name == "*" || name == key || keys.iter().any(|own| own == name);
        let is_wanted = self.wanted.topics.iter().any(|filter| (filter.topic == "*" || filter.topic == topic) && is_named(&filter.key));
        if !is_in || !is_wanted {
            return;
        }
        let payload = serde_json::to_value(row).unwrap_or(Value::Null);
        let event = Event {
            topic: topic.to_owned(),
            kind: kind.to_owned(),
            key,
            namespace: namespace.map(ToString::to_string).unwrap_or_default(),
            filter_keys: List(keys),
            index,
            payload: json!({ topic: payload }),
        };
        self.by_index.entry(index).or_default().push(event);
    }
}

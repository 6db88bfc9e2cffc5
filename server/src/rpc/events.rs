//! The stream of changes: two states compared, whenever there is a newer one. That costs what has changed; only who asks for changes from an index on has the whole
//! state looked through, once.

use std::{collections::BTreeMap, time::Duration};

use drover_model::{
    allocation::Allocation,
    ids::{DeploymentId, Name},
    job::Job,
    json::List,
    namespace::NodePool,
    node::Node,
    rpc::{
        Error,
        event::{Event, EventBatch, EventStream},
    },
    secret::SecretText,
    variable::VariableMetadata,
};
use drover_runtime::{
    in_place_if,
    rpc::{Caller, ItemSink},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Server,
    state::{Change, State, TableId},
};

/// How often a stream says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Comparing states that lie so many commands apart takes so long that nothing else is to wait for it.
const LONG: u64 = 1000;
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
        let mut seen = before.index();
        sink.send(&EventBatch::default()).await?;
        if message.index > 0 {
            seen = message.index - 1;
            for batch in changes(&State::default(), &before, seen, &message) {
                sink.send(&batch).await?;
            }
            seen = seen.max(before.index());
        }
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
    let mut found = Found { wanted, seen, by_index: BTreeMap::new() };
    in_place_if(now.index() > before.index() + LONG, || found.compare(before, now));
    found.by_index.into_iter().map(|(index, events)| EventBatch { index, events }).collect()
}

/// By what evaluations and allocations can be asked for.
fn job_and_deployment(job: &Name, deployment: Option<DeploymentId>) -> Vec<String> {
    [job.to_string()].into_iter().chain(deployment.map(|id| id.to_string())).collect()
}

struct Found<'a> {
    wanted: &'a EventStream,
    seen: u64,
    by_index: BTreeMap<u64, Vec<Event>>,
}

/// What an event says of its row.
struct About<'a> {
    topic: &'static str,
    kind: &'static str,
    key: String,
    namespace: Option<&'a Name>,
    /// By what else it can be asked for.
    keys: Vec<String>,
    index: u64,
}

impl Found<'_> {
    /// In the order in which one change touches the tables.
    fn compare(&mut self, before: &State, now: &State) {
        self.evaluations(before, now);
        self.allocations(before, now);
        self.deployments(before, now);
        self.jobs(before, now);
        self.nodes(before, now);
        self.services(before, now);
        self.divisions(before, now);
        self.volumes(before, now);
        self.variables(before, now);
    }

    fn evaluations(&mut self, before: &State, now: &State) {
        for change in now.changed_evaluations(before) {
            let Change::Put(row) = change else { continue };
            let keys = job_and_deployment(&row.job_id, row.deployment_id);
            let (key, namespace, index) = (row.id.to_string(), Some(&row.namespace), row.modify_index);
            self.put(About { topic: "Evaluation", kind: "EvaluationUpdated", key, namespace, keys, index }, || row);
        }
    }

    fn allocations(&mut self, before: &State, now: &State) {
        for change in now.changed_allocations(before) {
            let Change::Put(row) = change else { continue };
            let kind = if row.create_index == row.modify_index { "PlanResult" } else { "AllocationUpdated" };
            let keys = job_and_deployment(&row.job_id, row.deployment_id);
            let (key, namespace, index) = (row.id.to_string(), Some(&row.namespace), row.modify_index);
            // Without its job, which is told when it changes.
            let shown = || Allocation { job: Job::placeholder(), ..(**row).clone() };
            self.put(About { topic: "Allocation", kind, key, namespace, keys, index }, shown);
        }
    }

    fn deployments(&mut self, before: &State, now: &State) {
        for change in now.changed_deployments(before) {
            let Change::Put(row) = change else { continue };
            let (key, namespace, keys) = (row.id.to_string(), Some(&row.namespace), vec![row.job_id.to_string()]);
            let index = row.modify_index;
            self.put(About { topic: "Deployment", kind: "DeploymentStatusUpdate", key, namespace, keys, index }, || row);
        }
    }

    fn jobs(&mut self, before: &State, now: &State) {
        for change in now.changed_jobs(before) {
            let (row, kind, index) = match change {
                Change::Put(row) if row.stop => (row, "JobDeregistered", row.modify_index),
                Change::Put(row) => (row, "JobRegistered", row.modify_index),
                Change::Gone(row) => (row, "JobDeregistered", now.table_index(TableId::Jobs)),
            };
            let (key, namespace) = (row.id.to_string(), Some(&row.namespace));
            self.put(About { topic: "Job", kind, key, namespace, keys: Vec::new(), index }, || row);
        }
    }

    fn nodes(&mut self, before: &State, now: &State) {
        for change in now.changed_nodes(before) {
            let (row, kind, index) = match change {
                Change::Put(row) if row.create_index == row.modify_index => (row, "NodeRegistration", row.modify_index),
                Change::Put(row) => (row, "NodeEvent", row.modify_index),
                Change::Gone(row) => (row, "NodeDeregistration", now.table_index(TableId::Nodes)),
            };
            let shown = || Node { secret_id: SecretText::default(), ..(**row).clone() };
            self.put(About { topic: "Node", kind, key: row.id.to_string(), namespace: None, keys: Vec::new(), index }, shown);
        }
    }

    fn services(&mut self, before: &State, now: &State) {
        for change in now.changed_services(before) {
            let (row, kind, index) = match change {
                Change::Put(row) => (row, "ServiceRegistration", row.modify_index),
                Change::Gone(row) => (row, "ServiceDeregistration", now.table_index(TableId::Services)),
            };
            let (key, namespace) = (row.id.clone(), Some(&row.namespace));
            let keys = vec![row.job_id.to_string(), row.service_name.to_string()];
            self.put(About { topic: "Service", kind, key, namespace, keys, index }, || row);
        }
    }

    /// Node pools and quotas.
    fn divisions(&mut self, before: &State, now: &State) {
        if self.seen == 0 {
            // These are in no table.
            for row in NodePool::built_in() {
                self.pool("NodePoolUpserted", row.modify_index, &row);
            }
        }
        for change in now.changed_node_pools(before) {
            let (row, kind, index) = match change {
                Change::Put(row) => (row, "NodePoolUpserted", row.modify_index),
                Change::Gone(row) => (row, "NodePoolDeleted", now.table_index(TableId::NodePools)),
            };
            self.pool(kind, index, row);
        }
        for change in now.changed_quotas(before) {
            let (row, kind, index) = match change.map(|row| &row.spec) {
                Change::Put(row) => (row, "QuotaUpserted", row.modify_index),
                Change::Gone(row) => (row, "QuotaDeleted", now.table_index(TableId::Quotas)),
            };
            self.put(About { topic: "Quota", kind, key: row.name.clone(), namespace: None, keys: Vec::new(), index }, || row);
        }
    }

    fn pool(&mut self, kind: &'static str, index: u64, row: &NodePool) {
        self.put(About { topic: "NodePool", kind, key: row.name.clone(), namespace: None, keys: Vec::new(), index }, || row);
    }

    fn volumes(&mut self, before: &State, now: &State) {
        for change in now.changed_volumes(before) {
            let (row, kind, index) = match change {
                Change::Put(row) => (row, "HostVolumeRegistered", row.modify_index),
                Change::Gone(row) => (row, "HostVolumeDeleted", now.table_index(TableId::Volumes)),
            };
            let key = row.id.map(|id| id.to_string()).unwrap_or_default();
            let (namespace, keys) = (Some(&row.namespace), vec![row.name.clone()]);
            self.put(About { topic: "HostVolume", kind, key, namespace, keys, index }, || row);
        }
    }

    fn variables(&mut self, before: &State, now: &State) {
        for change in now.changed_variables(before) {
            let Change::Put(row) = change else { continue };
            let (key, namespace, index) = (row.path.to_string(), Some(&row.namespace), row.modify_index);
            // Without its items, and without the lock's id, which is as good as a key.
            let shown = || VariableMetadata { lock: None, ..row.metadata(row.modify_time) };
            self.put(About { topic: "Variable", kind: "VariableUpdated", key, namespace, keys: Vec::new(), index }, shown);
        }
    }

    /// Notes the event when it is new and wanted; only then is its row made.
    fn put<R: Serialize>(&mut self, about: About<'_>, row: impl FnOnce() -> R) {
        let About { topic, kind, key, namespace, keys, index } = about;
        let is_in = namespace.is_none_or(|namespace| &*self.wanted.namespace == "*" || self.wanted.namespace == *namespace);
        let is_named = |name: &str| name == "*" || name == key || keys.iter().any(|own| own == name);
        let is_wanted = self.wanted.topics.iter().any(|filter| (filter.topic == "*" || filter.topic == topic) && is_named(&filter.key));
        if index <= self.seen || !is_in || !is_wanted {
            return;
        }
        let payload = serde_json::to_value(row()).unwrap_or(Value::Null);
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

#[cfg(test)]
mod tests {
    use drover_model::{allocation::ClientStatus, ids::JobKey, rpc::event::TopicFilter};

    use super::*;
    use crate::{fsm::command::Command, state::snapshot, testing::*};

    fn wants(topic: &str, key: &str) -> EventStream {
        EventStream { topics: vec![TopicFilter { topic: topic.to_owned(), key: key.to_owned() }], namespace: "*".into(), index: 0 }
    }

    fn kinds(batches: &[EventBatch]) -> Vec<(u64, &str, &str)> {
        batches.iter().flat_map(|batch| batch.events.iter().map(|event| (batch.index, &*event.kind, &*event.key))).collect()
    }

    #[test]
    fn what_changed_is_told_by_index_whoever_compares() {
        let mut world = World::default();
        world.ready_node(node(1, 4000, 4000));
        world.register(job("other", 1));
        let (before, all) = (world.state.clone(), wants("*", "*"));
        let job = world.register(job("web", 1));
        let placed = world.place(vec![allocation(1, &job, 1)], None);
        world.report(1, vec![report(1, ClientStatus::Running, None)]);
        let reported = world.state.index();
        let told = changes(&before, &world.state, before.index(), &all);
        let id = alloc_id(1).to_string();
        assert_eq!(kinds(&told), [(placed, "JobRegistered", "web"), (reported, "AllocationUpdated", &*id)]);
        assert_eq!(told[0].events[0].payload["Job"]["Status"], "running", "changes of one row are told as one");

        // From an index on, and after a snapshot from another server: there is no older state that shares anything.
        assert_eq!(changes(&State::default(), &world.state, before.index(), &all), told);
        let mut bytes = Vec::new();
        snapshot::encode(&world.state, &mut bytes).unwrap();
        let restored = snapshot::decode(&mut &bytes[..]).unwrap();
        assert_eq!(changes(&before, &restored, before.index(), &all), told);
        assert!(changes(&State::default(), &world.state, reported, &all).is_empty());
        let pools = changes(&State::default(), &world.state, 0, &wants("NodePool", "*"));
        assert_eq!(kinds(&pools), [(1, "NodePoolUpserted", "all"), (1, "NodePoolUpserted", "default")], "those that are always there");

        let named = changes(&before, &world.state, before.index(), &wants("Allocation", "web"));
        assert_eq!(kinds(&named), [(reported, "AllocationUpdated", &*id)]);
        assert_ne!(named[0].events[0].payload["Allocation"]["Job"]["ID"], "web", "its job is told when that changes");
        assert!(changes(&before, &world.state, before.index(), &wants("Job", "other")).is_empty());

        let before = world.state.clone();
        world.run(Command::JobDeregister { key: JobKey::new("default", "other"), purge: true, no_shutdown_delay: false, evaluation: None });
        let gone = changes(&before, &world.state, before.index(), &all);
        assert_eq!(kinds(&gone), [(world.state.index(), "JobDeregistered", "other")]);
    }
}

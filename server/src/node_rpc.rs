//! What clients say to the servers about their node and its allocations.
//!
//! A node proves who it is with the secret that it registered with. Everything but the stream of allocations is the leader's to answer: another server
//! passes the call on.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use drover_model::{
    allocation::{AllocationReport, ClientStatus},
    evaluation::{Evaluation, Trigger},
    ids::{AllocId, JobKey, NodeId},
    node::{Node, NodeEvent, NodeStatus},
    rpc::{
        Error,
        node::{NodeAllocations, NodeAllocationsItem, NodeAuth, NodeHeartbeat, NodeRegister, NodeReport, NodeReportReply, NodeWelcome},
    },
};
use drover_runtime::rpc::{Caller, Handle, ItemSink, Router};

use crate::{Server, evaluations, fsm::command::Command, state::State};

#[cfg(test)]
mod tests;

/// How long a node that wants its allocations waits for a server that is behind.
const CATCH_UP: Duration = Duration::from_secs(5);
/// Allocations that one report may be about.
const MAX_REPORTS: usize = 10_000;

/// The handlers of this file.
pub(crate) fn router(server: &Arc<Server>) -> Router {
    let streaming = Arc::clone(server);
    Router::new()
        .handle::<NodeRegister>(Arc::clone(server))
        .handle::<NodeHeartbeat>(Arc::clone(server))
        .handle::<NodeReport>(Arc::clone(server))
        .stream(move |caller, message, sink| {
            let server = Arc::clone(&streaming);
            async move { server.stream_allocations(caller, message, sink).await }
        })
}

impl Handle<NodeRegister> for Server {
    async fn handle(&self, caller: Caller, message: NodeRegister) -> Result<NodeWelcome, Error> {
        if let Some(leader) = self.leader_elsewhere(&caller).await? {
            return self.pass_on(&leader, &caller, &message).await;
        }
        let mut node = message.node;
        check_registration(&node)?;
        node.compute_class();
        let (id, class) = (node.id, node.computed_class.clone());
        let before = self.store().snapshot().node(id).map(|known| (known.status, known.computed_class.clone()));
        let mut index = self.propose(Command::NodeRegister { node: Box::new(node) }).await?;
        // What a ready node has to offer is another thing now: jobs that want to be everywhere may want to be there, or no longer can.
        if before.is_some_and(|(status, known)| status == NodeStatus::Ready && known != class) {
            let evaluations = evaluations::for_node(&self.store().snapshot(), id, Trigger::NodeUpdate, self.random());
            if !evaluations.is_empty() {
                index = self.propose(Command::EvaluationsUpsert { evaluations }).await?;
            }
        }
        self.note_connection(id, &caller);
        Ok(self.welcome(id, index))
    }
}

fn check_registration(node: &Node) -> Result<(), Error> {
    for (what, missing) in
        [("a secret", node.secret_id.is_empty()), ("a datacenter", node.datacenter.is_empty()), ("a name", node.name.is_empty())]
    {
        if missing {
            return Err(Error::bad_request(format!("node {} has not got {what}", node.id)));
        }
    }
    Ok(())
}

impl Handle<NodeHeartbeat> for Server {
    async fn handle(&self, caller: Caller, message: NodeHeartbeat) -> Result<NodeWelcome, Error> {
        let NodeHeartbeat { auth, status } = &message;
        let node = self.authenticate_node(auth);
        // A follower that has not heard of the node yet leaves the judgement to the leader.
        if node.is_ok() {
            self.note_connection(auth.id, &caller);
        }
        if let Some(leader) = self.leader_elsewhere(&caller).await? {
            return self.pass_on(&leader, &caller, &message).await;
        }
        let node = node?;
        let mut index = node.modify_index;
        if node.status != *status && matches!(status, NodeStatus::Ready | NodeStatus::Down) {
            index = self.change_node_status(&node, *status).await?;
        }
        Ok(self.welcome(auth.id, index))
    }
}

impl Server {
    async fn change_node_status(&self, node: &Node, status: NodeStatus) -> Result<u64, Error> {
        let returns = status == NodeStatus::Ready && matches!(node.status, NodeStatus::Down | NodeStatus::Disconnected);
        let event = returns.then(|| NodeEvent {
            message: "Node reregistered by heartbeat".to_owned(),
            subsystem: "Cluster".to_owned(),
            timestamp: self.now().into(),
            ..NodeEvent::default()
        });
        let evaluations = evaluations::for_node(&self.store().snapshot(), node.id, Trigger::NodeUpdate, self.random());
        self.propose(Command::NodeStatus { id: node.id, status, event, evaluations }).await
    }

    fn welcome(&self, id: NodeId, index: u64) -> NodeWelcome {
        NodeWelcome { heartbeat_ttl: self.heartbeats().reset(id, self.runtime()), index, servers: self.server_addresses() }
    }

    fn note_connection(&self, id: NodeId, caller: &Caller) {
        if let Some(connection) = &caller.connection
            && connection.peer().role == drover_runtime::rpc::Role::Client
        {
            self.clients().note(id, connection);
        }
    }

    /// The node that proves with its secret who it is.
    pub fn authenticate_node(&self, auth: &NodeAuth) -> Result<Arc<Node>, Error> {
        let state = self.store().snapshot();
        let node = state.node(auth.id).ok_or_else(|| Error::not_found("node not found"))?;
        if auth.secret.is_empty() || !node.secret_id.matches(&auth.secret) {
            return Err(Error::forbidden());
        }
        Ok(Arc::clone(node))
    }
}

impl Handle<NodeReport> for Server {
    async fn handle(&self, caller: Caller, message: NodeReport) -> Result<NodeReportReply, Error> {
        if let Some(leader) = self.leader_elsewhere(&caller).await? {
            return self.pass_on(&leader, &caller, &message).await;
        }
        let node = self.authenticate_node(&message.auth)?;
        if message.allocations.len() > MAX_REPORTS {
            return Err(Error::bad_request(format!("a report may be about {MAX_REPORTS} allocations at most")));
        }
        let evaluations = follow_ups(&self.store().snapshot(), &message.allocations, self.random());
        let index = self.propose(Command::AllocationsReport { node_id: node.id, reports: message.allocations, evaluations }).await?;
        Ok(NodeReportReply { index })
    }
}

/// The evaluations that reports call for: of each job of which something failed, or that came back from where nobody saw it.
pub(crate) fn follow_ups(state: &State, reports: &[AllocationReport], random: &dyn drover_runtime::Random) -> Vec<Evaluation> {
    let mut evaluated: BTreeSet<JobKey> = BTreeSet::new();
    let mut evaluations = Vec::new();
    for report in reports {
        let Some(known) = report.id.and_then(|id| state.allocation(id)) else { continue };
        let trigger = match (known.client_status, report.client_status) {
            (ClientStatus::Unknown, status) if status != ClientStatus::Unknown => Trigger::Reconnect,
            (before, ClientStatus::Failed) if before != ClientStatus::Failed && !known.is_server_terminal() => Trigger::AllocFailure,
            _ => continue,
        };
        let key = known.job_key();
        let Some(job) = state.job(&key).filter(|job| !job.stop) else { continue };
        if evaluated.insert(key) {
            evaluations.push(evaluations::for_job(job, trigger, random));
        }
    }
    evaluations
}

impl Server {
    /// Returns once this server knows what the node was shown before, by whichever server. Who is behind would make the node take for forgotten what it has
    /// not heard of yet.
    async fn catch_up_with(&self, index: u64) -> Result<(), Error> {
        if self.store().snapshot().index() >= index {
            return Ok(());
        }
        if self.is_leader() {
            // The index is of another cluster, or of a time that was rolled back: the leader's word counts.
            return self.ensure_leading().await;
        }
        match self.store().wait_until(index, CATCH_UP).await {
            Some(_) => Ok(()),
            None => Err(Error::unavailable(format!("this server has not heard of index {index} yet"))),
        }
    }

    /// Sends a node its allocations: first all of them, then what the servers change, as soon as they do.
    pub async fn stream_allocations(
        &self,
        caller: Caller,
        message: NodeAllocations,
        sink: ItemSink<NodeAllocationsItem>,
    ) -> Result<(), Error> {
        self.catch_up_with(message.min_index).await?;
        let id = self.authenticate_node(&message.auth)?.id;
        self.note_connection(id, &caller);
        let changed = self.services().node_watches.watch(id);
        let mut sent = SentAllocations::default();
        loop {
            let state = self.store().snapshot();
            if state.node(id).is_none() {
                return Err(Error::not_found("node not found"));
            }
            let news = sent.next(&state, id);
            drop(state);
            if let Some(item) = news {
                sink.send(&item).await?;
            }
            changed.notified().await;
        }
    }
}

/// What a node was told already.
#[derive(Debug, Default)]
struct SentAllocations {
    index: Option<u64>,
    ids: BTreeSet<AllocId>,
}

impl SentAllocations {
    /// What a node does not know yet; none when it knows everything.
    fn next(&mut self, state: &State, node: NodeId) -> Option<NodeAllocationsItem> {
        let complete = self.index.is_none();
        let since = self.index.unwrap_or(0);
        let ids: BTreeSet<AllocId> = state.allocations_of_node(node).map(|allocation| allocation.id).collect();
        let removed: Vec<AllocId> = self.ids.difference(&ids).copied().collect();
        let news = state.allocations_of_node(node).filter(|allocation| complete || allocation.alloc_modify_index > since);
        let item = NodeAllocationsItem { index: state.index(), complete, allocations: news.collect(), removed };
        self.index = Some(state.index());
        self.ids = ids;
        (complete || !item.allocations.is_empty() || !item.removed.is_empty()).then_some(item)
    }
}

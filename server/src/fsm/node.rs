//! Nodes: registration, status, drain, eligibility, forgetting.

use drover_model::{
    evaluation::Evaluation,
    ids::NodeId,
    json::Map,
    node::{DrainStrategy, Eligibility, LastDrain, MAX_NODE_EVENTS, Node, NodeEvent, NodeStatus},
};

use super::{Change, Done, Effect, Refusal};

impl Change<'_> {
    pub(super) fn node_register(&mut self, mut node: Node) -> Done {
        let known = self.state.node(node.id).cloned();
        let (status_before, class_before) = known.as_ref().map_or((None, ""), |known| (Some(known.status), known.computed_class.as_str()));
        if let Some(known) = &known {
            if !known.secret_id.matches(&node.secret_id) {
                return Err(Refusal::Refused { status: 403, message: format!("node {} is registered with another secret", node.id) });
            }
            node.create_index = known.create_index;
            node.drain.clone_from(&known.drain);
            node.eligibility = known.eligibility;
            node.last_drain.clone_from(&known.last_drain);
            node.events.clone_from(&known.events);
            node.last_missed_heartbeat_index = known.last_missed_heartbeat_index;
            node.last_alloc_update_index = known.last_alloc_update_index;
            // A node that is ready and tells of a new fingerprint stays so; one that was away is ready with its first heartbeat.
            node.status = if known.status == NodeStatus::Ready { NodeStatus::Ready } else { NodeStatus::Initializing };
        } else {
            node.create_index = self.index;
            node.status = NodeStatus::Initializing;
        }
        match status_before {
            None => self.push_event(&mut node, cluster_event("Node registered")),
            Some(NodeStatus::Down | NodeStatus::Disconnected) => self.push_event(&mut node, cluster_event("Node re-registered")),
            Some(NodeStatus::Ready | NodeStatus::Initializing) => {}
        }
        if status_before != Some(node.status) {
            node.status_updated_at = self.at.seconds();
        } else if let Some(known) = &known {
            node.status_updated_at = known.status_updated_at;
        }
        self.ensure_node_pool(&node.node_pool);
        self.state.offer_volumes(&mut node);
        let may_take_more = node.is_schedulable() && node.computed_class != class_before;
        let id = node.id;
        self.put_node(node);
        if may_take_more {
            self.unblock(id);
        }
        Ok(())
    }

    pub(super) fn node_status(&mut self, id: NodeId, status: NodeStatus, event: Option<NodeEvent>, evaluations: Vec<Evaluation>) -> Done {
        self.change_node(id, event, |node, index, seconds| {
            if node.status != status {
                node.status_updated_at = seconds;
            }
            node.status = status;
            match status {
                NodeStatus::Down | NodeStatus::Disconnected => node.last_missed_heartbeat_index = index,
                NodeStatus::Ready => node.last_missed_heartbeat_index = 0,
                NodeStatus::Initializing => {}
            }
        })?;
        self.put_node_evaluations(evaluations);
        self.unblock(id);
        Ok(())
    }

    pub(super) fn node_drain(
        &mut self,
        id: NodeId,
        drain: Option<DrainStrategy>,
        mark_eligible: bool,
        last_drain: Option<LastDrain>,
        event: Option<NodeEvent>,
        evaluations: Vec<Evaluation>,
    ) -> Done {
        self.change_node(id, event, |node, _, _| {
            if drain.is_some() {
                node.eligibility = Eligibility::Ineligible;
            } else if mark_eligible {
                node.eligibility = Eligibility::Eligible;
            }
            node.drain = drain;
            if last_drain.is_some() {
                node.last_drain = last_drain;
            }
        })?;
        self.put_node_evaluations(evaluations);
        self.unblock(id);
        Ok(())
    }

    pub(super) fn node_eligibility(
        &mut self,
        id: NodeId,
        eligibility: Eligibility,
        event: Option<NodeEvent>,
        evaluations: Vec<Evaluation>,
    ) -> Done {
        let draining = self.state.node(id).is_some_and(|node| node.drain.is_some());
        if draining && eligibility == Eligibility::Eligible {
            return Err(Refusal::invalid("can not set node's scheduling eligibility to eligible while it is draining"));
        }
        self.change_node(id, event, |node, _, _| node.eligibility = eligibility)?;
        self.put_node_evaluations(evaluations);
        self.unblock(id);
        Ok(())
    }

    pub(super) fn nodes_forget(&mut self, ids: &[NodeId], evaluations: Vec<Evaluation>) -> Done {
        for id in ids {
            if self.state.remove_node(*id).is_some() {
                self.remove_services_of_node(*id);
                self.effects.push(Effect::NodeChanged(*id));
            }
        }
        self.put_evaluations(evaluations);
        Ok(())
    }

    fn put_node_evaluations(&mut self, evaluations: Vec<Evaluation>) {
        let index = self.index;
        self.put_evaluations(evaluations.into_iter().map(|evaluation| Evaluation { node_modify_index: index, ..evaluation }));
    }

    /// `change` gets the node, the index and the time in seconds.
    fn change_node(&mut self, id: NodeId, event: Option<NodeEvent>, change: impl FnOnce(&mut Node, u64, i64)) -> Done {
        let Some(node) = self.state.node(id) else { return Err(Refusal::not_found("node")) };
        let mut node = Node::clone(node);
        change(&mut node, self.index, self.at.seconds());
        if let Some(event) = event {
            self.push_event(&mut node, event);
        }
        self.put_node(node);
        Ok(())
    }

    fn push_event(&self, node: &mut Node, mut event: NodeEvent) {
        event.create_index = self.index;
        if event.timestamp.is_never() {
            event.timestamp = self.at.into();
        }
        node.events.push(event);
        let excess = node.events.len().saturating_sub(MAX_NODE_EVENTS);
        node.events.drain(..excess);
    }

    pub(super) fn put_node(&mut self, mut node: Node) {
        node.modify_index = self.index;
        self.effects.push(Effect::NodeChanged(node.id));
        self.state.put_node(node);
    }
}

fn cluster_event(message: &str) -> NodeEvent {
    NodeEvent { message: message.to_owned(), subsystem: "Cluster".to_owned(), details: Map::default(), ..NodeEvent::default() }
}

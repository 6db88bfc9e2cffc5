//! Volumes on nodes.

use drover_model::{
    allocation::Allocation,
    ids::{NodeId, VolumeId},
    node::Node,
    volume::Volume,
};
use drover_scheduler::claims;

use super::{Change, Done, Refusal};

impl Change<'_> {
    pub(super) fn volume_put(&mut self, mut volume: Volume) -> Done {
        let (Some(id), Some(on)) = (volume.id, volume.node_id) else { return Err(Refusal::invalid("a volume needs an id and a node")) };
        let Some(node) = self.state.node(on) else { return Err(Refusal::not_found("node")) };
        let others = |name: &str| node.host_volumes.get(name).is_some_and(|other| other.id != id.to_string());
        if others(&volume.name) {
            return Err(Refusal::invalid(format!("node {on} has another volume {:?}", volume.name)));
        }
        if self.state.namespace(&volume.namespace).is_none() {
            return Err(Refusal::invalid(format!("volume {:?} is in nonexistent namespace {:?}", volume.name, volume.namespace)));
        }
        let known = self.state.volume(id);
        if known.is_some_and(|known| known.node_id != volume.node_id || known.name != volume.name || known.namespace != volume.namespace) {
            return Err(Refusal::invalid("a volume's node, name and namespace cannot be changed"));
        }
        volume.node_pool.clone_from(&node.node_pool);
        (volume.create_index, volume.create_time) = known.map_or((self.index, self.at), |known| (known.create_index, known.create_time));
        (volume.modify_index, volume.modify_time) = (self.index, self.at);
        self.state.put_volume(volume);
        self.offer_volumes(on);
        self.unblock(on);
        Ok(())
    }

    /// Refused while somebody uses it: checked here, where nothing can come in between.
    pub(super) fn volume_delete(&mut self, namespace: &str, id: VolumeId) -> Done {
        let Some(volume) = self.state.volume(id).filter(|volume| &*volume.namespace == namespace) else {
            return Err(Refusal::not_found("volume"));
        };
        let Some(on) = volume.node_id else { return Err(Refusal::not_found("volume")) };
        let user = self.state.allocations_of_node(on).find(|allocation| uses(allocation, volume)).map(|user| user.id);
        if let Some(user) = user {
            return Err(Refusal::invalid(format!("volume {id} is in use by allocation {user}")));
        }
        self.state.remove_volume(id);
        self.offer_volumes(on);
        Ok(())
    }

    fn offer_volumes(&mut self, on: NodeId) {
        if let Some(node) = self.state.node(on) {
            let mut node = Node::clone(node);
            self.state.offer_volumes(&mut node);
            self.put_node(node);
        }
    }
}

/// Whether an allocation holds a claim on a volume of its node.
pub(crate) fn uses(allocation: &Allocation, volume: &Volume) -> bool {
    let is_its = || claims(allocation).iter().any(|claim| claim.volume() == volume.name);
    allocation.holds_resources() && allocation.namespace == volume.namespace && is_its()
}

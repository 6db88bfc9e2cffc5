//! Volumes on nodes.

use std::sync::Arc;

use drover_model::{
    ids::{NodeId, VolumeId},
    node::{HostVolume, Node},
    volume::Volume,
};

use super::{State, TableId};

impl State {
    pub fn volume(&self, id: VolumeId) -> Option<&Arc<Volume>> {
        self.volumes.get(&id)
    }

    pub fn volumes(&self) -> impl Iterator<Item = &Arc<Volume>> {
        self.volumes.values()
    }

    pub fn volumes_of_node(&self, id: NodeId) -> impl Iterator<Item = &Arc<Volume>> {
        self.volumes_by_node.under(&id).filter_map(|id| self.volumes.get(id))
    }

    /// What a node offers: of its client's configuration, and what was made or registered since. The first goes before the second.
    pub(crate) fn offer_volumes(&self, node: &mut Node) {
        node.host_volumes.retain(|_, volume| !volume.is_dynamic());
        for volume in self.volumes_of_node(node.id) {
            let offered = HostVolume {
                id: volume.id.map(|id| id.to_string()).unwrap_or_default(),
                name: volume.name.clone(),
                path: volume.host_path.clone(),
                read_only: false,
                namespace: volume.namespace.clone(),
                capabilities: volume.capabilities.clone(),
            };
            node.host_volumes.entry(volume.name.clone()).or_insert(offered);
        }
    }

    pub(crate) fn put_volume(&mut self, volume: Volume) {
        let (Some(id), Some(node)) = (volume.id, volume.node_id) else { return };
        if let Some(before) = self.volumes.insert(id, Arc::new(volume)).and_then(|old| old.node_id).filter(|before| *before != node) {
            self.volumes_by_node.remove(before, id);
        }
        self.volumes_by_node.insert(node, id);
        self.touch(TableId::Volumes);
    }

    pub(crate) fn remove_volume(&mut self, id: VolumeId) -> Option<Arc<Volume>> {
        let old = self.volumes.remove(&id)?;
        if let Some(node) = old.node_id {
            self.volumes_by_node.remove(node, id);
        }
        self.touch(TableId::Volumes);
        Some(old)
    }
}

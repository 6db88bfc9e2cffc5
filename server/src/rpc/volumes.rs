//! Volumes on nodes: reading, registering, making, deleting.

use drover_model::{
    ids::{NodeId, VolumeId},
    json::List,
    node::{Node, NodeStatus},
    rpc::{
        Error, Method,
        nodes::{ClientCall, ClientTarget},
        volume::{
            VolumeCreate, VolumeDelete, VolumeDeleted, VolumeGet, VolumeList, VolumeMake, VolumeRegister, VolumeRemove, VolumeWritten,
        },
    },
    view::AllocationStub,
    volume::{MKDIR, Volume, VolumeState, VolumeStub},
};
use drover_runtime::rpc::{Caller, Handle};

use super::{
    Desk, Found,
    page::{ByCreation, in_namespace, page},
};
use crate::{
    Server,
    fsm::{command::Command, uses},
    state::State,
};

pub(super) fn list(state: &State, message: &VolumeList) -> Result<Found<Vec<VolumeStub>>, Error> {
    let options = &message.options;
    let wanted = |row: &&std::sync::Arc<Volume>| {
        in_namespace(options, &row.namespace)
            && message.node_id.is_none_or(|node| row.node_id == Some(node))
            && message.node_pool.as_ref().is_none_or(|pool| row.node_pool == *pool)
            && row.id.is_some_and(|id| id.to_string().starts_with(&options.prefix))
    };
    let key = |row: &Volume| ByCreation(row.create_index, row.id.map(|id| id.as_uuid()).unwrap_or_default());
    let rows = state.volumes().filter(wanted).map(|row| (key(row), row)).collect();
    page(rows, options, |row| VolumeStub { state: state_of(state, row), ..row.stub() })
}

pub(super) fn get(state: &State, message: &VolumeGet) -> Result<Found<Option<Volume>>, Error> {
    let found = state.volume(message.id).filter(|volume| in_namespace(&message.options, &volume.namespace));
    Ok(Found::new(found.map(|volume| {
        let here = volume.node_id.into_iter().flat_map(|node| state.allocations_of_node(node));
        let users = here.filter(|allocation| uses(allocation, volume));
        let allocations: Vec<_> = users.map(|allocation| AllocationStub::new(allocation, false, false)).collect();
        Volume { state: state_of(state, volume), allocations: List(allocations), ..Volume::clone(volume) }
    })))
}

/// A volume whose node is away is not to be had.
fn state_of(state: &State, volume: &Volume) -> VolumeState {
    let node = volume.node_id.and_then(|id| state.node(id));
    if node.is_some_and(|node| node.status == NodeStatus::Ready) { volume.state } else { VolumeState::Unavailable }
}

/// What is sent, completed from what is known where it changes a volume that there is.
fn admitted(state: &State, mut volume: Volume) -> Result<Volume, Error> {
    volume.canonicalize();
    if volume.namespace.is_empty() {
        volume.namespace = drover_model::namespace::DEFAULT_NAMESPACE.into();
    }
    volume.check().map_err(Error::bad_request)?;
    if let Some(id) = volume.id {
        let known = state.volume(id).ok_or_else(|| Error::not_found(format!("no volume {id}: leave the id out to make a new one")))?;
        volume.node_id = volume.node_id.or(known.node_id);
        if volume.host_path.is_empty() {
            volume.host_path.clone_from(&known.host_path);
        }
    }
    Ok(volume)
}

async fn put(desk: Desk<'_>, volume: Volume, id: VolumeId) -> Result<VolumeWritten, Error> {
    let volume = Volume { id: Some(id), state: VolumeState::Ready, allocations: List::default(), ..volume };
    let index = desk.proposer.propose(Command::VolumePut { volume: Box::new(volume) }).await?.accepted()?;
    let state = desk.store.snapshot();
    let volume = state.volume(id).map(|volume| Volume::clone(volume)).ok_or_else(|| Error::not_found("volume not found"))?;
    Ok(VolumeWritten { index, volume })
}

pub(super) async fn register(desk: Desk<'_>, message: VolumeRegister) -> Result<VolumeWritten, Error> {
    let volume = admitted(&desk.store.snapshot(), message.volume)?;
    if volume.node_id.is_none() || volume.host_path.is_empty() {
        return Err(Error::bad_request("a volume that is registered is there already: say on which node (NodeID) and where (HostPath)"));
    }
    let id = volume.id.unwrap_or_else(|| VolumeId::from_random(desk.runtime.random.id_bytes()));
    put(desk, volume, id).await
}

/// The node with the fewest volumes among those that may have it.
fn choose(state: &State, volume: &Volume) -> Result<NodeId, Error> {
    let may = |node: &Node| {
        volume.node_id.is_none_or(|id| id == node.id)
            && (volume.node_pool.is_empty() || volume.node_pool == node.node_pool)
            && drover_scheduler::meets(node, &volume.constraints)
    };
    let mut nodes: Vec<&Node> = state.nodes().map(|node| &**node).filter(|node| may(node)).collect();
    nodes.retain(|node| node.status == NodeStatus::Ready && (volume.node_id.is_some() || node.is_schedulable()));
    nodes.retain(|node| !node.host_volumes.contains_key(&volume.name));
    let chosen = nodes.into_iter().min_by_key(|node| (state.volumes_of_node(node.id).count(), node.id));
    chosen.map(|node| node.id).ok_or_else(|| {
        Error::internal(format!(
            "no node can have volume {:?}: none is ready, meets its constraints, and has no volume of that name",
            volume.name
        ))
    })
}

impl Server {
    async fn ask_node<M: Method>(&self, caller: &Caller, node: NodeId, message: M) -> Result<M::Reply, Error> {
        let body = message.encode()?.to_vec();
        let call = ClientCall { target: ClientTarget::Node(node), method: M::NAME.to_owned(), body, is_passed_on: false };
        M::decode_reply(&self.handle(caller.clone(), call).await?.body)
    }
}

impl Handle<VolumeCreate> for Server {
    async fn handle(&self, caller: Caller, message: VolumeCreate) -> Result<VolumeWritten, Error> {
        if let Some(leader) = self.leader_elsewhere(&caller).await? {
            return self.pass_on(&leader, &caller, &message).await;
        }
        let mut volume = admitted(&self.store().snapshot(), message.volume)?;
        if let Some(id) = volume.id {
            return put(self.desk(), volume, id).await;
        }
        if volume.plugin_id.is_empty() {
            MKDIR.clone_into(&mut volume.plugin_id);
        }
        let node = choose(&self.store().snapshot(), &volume)?;
        let id = VolumeId::from_random(self.random().id_bytes());
        let make = VolumeMake { id, plugin_id: volume.plugin_id.clone(), parameters: volume.parameters.clone() };
        let made = self.ask_node(&caller, node, make).await?;
        (volume.node_id, volume.host_path, volume.capacity_bytes) = (Some(node), made.host_path, made.capacity_bytes);
        let written = put(self.desk(), volume, id).await;
        if let Err(error) = &written
            && error.status < 503
            && let Err(left) = self.ask_node(&caller, node, VolumeRemove { id }).await
        {
            tracing::warn!(%node, volume = %id, error = %left, "a volume that was refused after it was made is left on its node");
        }
        written
    }
}

impl Handle<VolumeDelete> for Server {
    async fn handle(&self, caller: Caller, message: VolumeDelete) -> Result<VolumeDeleted, Error> {
        if let Some(leader) = self.leader_elsewhere(&caller).await? {
            return self.pass_on(&leader, &caller, &message).await;
        }
        let VolumeDelete { namespace, id, force } = message;
        let node = self.store().snapshot().volume(id).and_then(|volume| volume.node_id);
        // From then on nothing is placed on it; before, nothing is taken away from under those who use it.
        let command = Command::VolumeDelete { namespace, id };
        let index = self.desk().proposer.propose(command).await?.accepted()?;
        let Some(node) = node else { return Ok(VolumeDeleted { index }) };
        match self.ask_node(&caller, node, VolumeRemove { id }).await {
            Err(error) if !force => {
                Err(Error::internal(format!("volume {id} is deleted, but what is on node {node} could not be removed: {}", error.message)))
            }
            _ => Ok(VolumeDeleted { index }),
        }
    }
}

//! Calls that are passed on to the client of a node, over the connection that it holds to one of the servers, or in the process that both run in.

use std::time::Duration;

use bytes::Bytes;
use drover_model::{
    ids::NodeId,
    rpc::{
        Error,
        nodes::{ClientCall, ClientReply, ClientStream, ClientTarget},
    },
};
use drover_runtime::rpc::{Caller, Connection, Handle, ItemSink};
use futures::{StreamExt, future::join_all};

use crate::Server;

/// How long a client may take to answer one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

impl Server {
    /// The node that is meant. A name that no row has gets the words that clients use too.
    fn target(&self, target: ClientTarget) -> Result<NodeId, Error> {
        match target {
            ClientTarget::Node(id) => Ok(id),
            ClientTarget::Allocation(id) => {
                let state = self.store().snapshot();
                let unknown = || Error::not_found(format!("Unknown allocation \"{id}\""));
                state.allocation(id).map(|allocation| allocation.node_id).ok_or_else(unknown)
            }
        }
    }

    /// The connections to the other servers that can be reached.
    async fn other_servers(&self) -> Vec<Connection> {
        let own = self.consensus().id();
        let others = self.consensus().peers().into_iter().filter(|peer| peer.id != own);
        let dialled = join_all(others.map(|peer| async move { self.peers().connection(&peer.address).await.ok() })).await;
        dialled.into_iter().flatten().collect()
    }
}

fn unreachable(node: NodeId) -> Error {
    Error::new(404, format!("No path to node: node {node} is not connected to any server"))
}

/// Whether another server may know better.
fn has_no_path(error: &Error) -> bool {
    error.is_unavailable() || error.message.starts_with("No path to node")
}

impl Handle<ClientCall> for Server {
    async fn handle(&self, caller: Caller, message: ClientCall) -> Result<ClientReply, Error> {
        let node = self.target(message.target)?;
        if let Some(client) = self.way_to(node) {
            let body = client.call(&message.method, &caller, Bytes::from(message.body), CALL_TIMEOUT).await?;
            return Ok(ClientReply { body: body.to_vec() });
        }
        if message.is_passed_on {
            return Err(unreachable(node));
        }
        let onward = ClientCall { is_passed_on: true, ..message };
        for peer in self.other_servers().await {
            match self.pass_on(&peer, &caller, &onward).await {
                Err(error) if has_no_path(&error) => {}
                reply => return reply,
            }
        }
        Err(unreachable(node))
    }
}

impl Server {
    /// Passes the items of a client's stream on until one of the two ends it.
    pub async fn stream_client(&self, caller: Caller, message: ClientStream, sink: ItemSink<ClientReply>) -> Result<(), Error> {
        let ClientStream { call } = message;
        let node = self.target(call.target)?;
        if let Some(client) = self.way_to(node) {
            let mut stream = client.subscribe(&call.method, &caller, Bytes::from(call.body)).await?;
            while let Some(item) = stream.next().await {
                sink.send(&ClientReply { body: item?.to_vec() }).await?;
            }
            return Ok(());
        }
        if call.is_passed_on {
            return Err(unreachable(node));
        }
        let onward = ClientStream { call: ClientCall { is_passed_on: true, ..call } };
        for peer in self.other_servers().await {
            let Ok(mut stream) = peer.subscribe(&caller.header(), &onward).await else { continue };
            match stream.next().await {
                Some(Err(error)) if has_no_path(&error) => continue,
                None => return Ok(()),
                Some(first) => sink.send(&first?).await?,
            }
            while let Some(item) = stream.next().await {
                sink.send(&item?).await?;
            }
            return Ok(());
        }
        Err(unreachable(node))
    }
}

//! `drover volume ...`

use anyhow::{Result, bail};
use drover_jobspec::Document;
use drover_model::volume::{Volume, VolumeStub};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    context::{self, Reach},
    specfile, verbs,
};

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod init;
pub(crate) mod register;
pub(crate) mod status;

verbs! {
    /// Let a node make a volume
    Create(create::Args),
    /// Make a folder that is on a node already known as a volume
    Register(register::Args),
    /// List volumes, or show one
    Status(status::Args),
    /// Write an example file
    Init(init::Args),
    /// Remove a volume that nobody uses
    Delete(delete::Args),
}

/// The one type of volumes that there is.
const HOST: &str = "host";

fn check_type(kind: &str) -> Result<()> {
    match kind {
        HOST => Ok(()),
        other => bail!("volumes of type {other:?} are not supported: only {HOST:?}"),
    }
}

/// A volume from a file, which says its type.
fn read(path: &str) -> Result<Volume> {
    let mut read: Value = specfile::read(Document::HostVolume, path, false)?;
    let kind = read.as_object_mut().and_then(|volume| volume.remove("Type"));
    check_type(kind.as_ref().and_then(Value::as_str).unwrap_or(HOST))?;
    Ok(Volume::deserialize(read)?)
}

/// Says what has become of a file's volume.
fn announce(done: &str, volume: &Volume, reach: &Reach) {
    println!("==> {done} host volume {} with ID {}", volume.name, volume.id.map(|id| id.to_string()).unwrap_or_default());
    status::print(volume, reach.colours(), false);
}

/// The whole id of the one volume that the beginning of an id means.
async fn find(client: &drover_api::Client, prefix: &str) -> Result<String> {
    let id = |volume: &VolumeStub| volume.id.map(|id| id.to_string()).unwrap_or_default();
    let volumes = client.host_volumes(prefix).await?.data;
    Ok(id(&context::unique("volume", prefix, volumes, id)?))
}

//! `/v1/volumes` and `/v1/volume/host/...`.

use drover_model::volume::{Volume, VolumeStub};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::{Answer, Client, Error, segment};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'a> {
    volume: &'a Volume,
}

/// A volume as it was written.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VolumeAnswer {
    pub volume: Volume,
}

impl Client {
    pub async fn host_volumes(&self, prefix: &str) -> Result<Answer<Vec<VolumeStub>>, Error> {
        self.get("/v1/volumes", &[("type", "host"), ("prefix", prefix)]).await
    }

    pub async fn host_volume(&self, id: &str) -> Result<Answer<Volume>, Error> {
        self.get(&format!("/v1/volume/host/{}", segment(id)), &[]).await
    }

    /// Lets a node make a volume.
    pub async fn create_host_volume(&self, volume: &Volume) -> Result<Answer<VolumeAnswer>, Error> {
        self.put("/v1/volume/host/create", &[], &Request { volume }).await
    }

    /// Makes a folder of a node known as a volume.
    pub async fn register_host_volume(&self, volume: &Volume) -> Result<Answer<VolumeAnswer>, Error> {
        self.put("/v1/volume/host/register", &[], &Request { volume }).await
    }

    pub async fn delete_host_volume(&self, id: &str, force: bool) -> Result<Answer<Value>, Error> {
        let force = if force { "true" } else { "false" };
        self.delete(&format!("/v1/volume/host/{}", segment(id)), &[("force", force)]).await
    }
}

//! `/v1/volumes` and `/v1/volume/host/...`.

use drover_model::{
    ids::VolumeId,
    rpc::{
        Error,
        volume::{VolumeCreate, VolumeDelete, VolumeGet, VolumeList, VolumeRegister, VolumeWritten},
    },
    volume::{Volume, VolumeStub},
};
use serde::{Deserialize, Serialize};

use super::{
    call::{Call, Verb, id, invalid_method},
    reply::{Outcome, done, nowhere},
};

pub(super) async fn list(call: Call, rest: String) -> Outcome {
    if !rest.is_empty() {
        return nowhere();
    }
    call.only_get()?;
    match call.param("type") {
        Some("host") => {}
        None | Some("" | "csi") => return call.json_reply::<[VolumeStub]>(&[]),
        Some(_) => return nowhere(),
    }
    let node_id = call.param("node_id").filter(|id| !id.is_empty());
    let node_id = node_id.map(|text| text.parse().map_err(|_| Error::bad_request("node_id is not the id of a node"))).transpose()?;
    let node_pool = call.param("node_pool").filter(|pool| !pool.is_empty()).map(str::to_owned);
    call.read(VolumeList { options: call.options()?, node_id, node_pool }).await
}

pub(super) async fn one(call: Call, rest: String) -> Outcome {
    call.check_region()?;
    let Some(rest) = rest.strip_prefix("host/") else {
        let is_csi = rest.starts_with("csi/");
        return if is_csi { Err(Error::new(501, "volumes of CSI plugins are not supported")) } else { nowhere() };
    };
    match (rest, call.verb()) {
        ("create", Verb::Write) => create(call).await,
        ("register", Verb::Write) => register(call).await,
        ("create" | "register", _) => Err(invalid_method()),
        (segment, Verb::Get) => {
            let id: VolumeId = id("volume", segment)?;
            let read = call.api.backend().call(VolumeGet { options: call.options()?, id }).await?;
            call.found_or(read, "host volume not found", |volume| volume)
        }
        (segment, Verb::Delete) => {
            let id: VolumeId = id("volume", segment.strip_suffix("/delete").unwrap_or(segment))?;
            let (namespace, force) = (call.namespace(), call.flag("force")?);
            done(call.api.backend().call(VolumeDelete { namespace, id, force }).await?.index)
        }
        (_, Verb::Write | Verb::Other) => Err(invalid_method()),
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    volume: Option<Volume>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    volume: Volume,
    warnings: String,
    index: u64,
}

/// The namespace of the request counts where the volume names none.
async fn sent(call: &mut Call) -> Result<Volume, Error> {
    let body: Body = call.json().await?;
    let mut volume = body.volume.ok_or_else(|| Error::bad_request("missing volume definition"))?;
    if volume.namespace.is_empty() {
        volume.namespace = call.namespace();
    }
    Ok(volume)
}

async fn create(mut call: Call) -> Outcome {
    let volume = sent(&mut call).await?;
    let written = call.api.backend().call(VolumeCreate { volume }).await?;
    answer(&call, written)
}

async fn register(mut call: Call) -> Outcome {
    let volume = sent(&mut call).await?;
    let written = call.api.backend().call(VolumeRegister { volume }).await?;
    answer(&call, written)
}

fn answer(call: &Call, written: VolumeWritten) -> Outcome {
    let VolumeWritten { index, volume } = written;
    call.json_reply(&Answer { volume, warnings: String::new(), index })
}

//! The node's id and secret: drawn once, kept for good.

use std::path::Path;

use drover_model::{ids::NodeId, secret::SecretText};
use drover_runtime::Runtime;

use crate::{ClientConfig, Error};

/// An id and its line's end.
const ID_BYTES: u64 = 128;

/// Reads both from the client's folder, or draws them. A throw-away node has new ones each time.
pub(crate) fn node_identity(config: &ClientConfig, runtime: &Runtime) -> Result<(NodeId, SecretText), Error> {
    let draw = || NodeId::from_random(runtime.random.id_bytes());
    if config.dev {
        return Ok((draw(), SecretText::new(draw().to_string())));
    }
    let id = keep(runtime, &config.state_dir.join("client-id"), draw)?;
    let secret = keep(runtime, &config.state_dir.join("secret-id"), draw)?;
    Ok((id, SecretText::new(secret.to_string())))
}

fn keep(runtime: &Runtime, path: &Path, draw: impl Fn() -> NodeId) -> Result<NodeId, Error> {
    let failed = |reason: String| Error::NodeId { path: path.to_owned(), reason };
    match runtime.disk.read(path, ID_BYTES) {
        Ok(bytes) => {
            String::from_utf8_lossy(&bytes).trim().parse().map_err(|error: drover_model::ids::InvalidId| failed(error.to_string()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let id = draw();
            // Others are kept out by the folder, which only the agent's user may enter.
            runtime.disk.write_atomic(path, id.to_string().as_bytes()).map_err(|error| failed(error.to_string()))?;
            Ok(id)
        }
        Err(error) => Err(failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_stays_itself() {
        let folder = tempfile::tempdir().unwrap();
        let config = ClientConfig { state_dir: folder.path().to_owned(), ..ClientConfig::default() };
        let runtime = Runtime::real();
        let first = node_identity(&config, &runtime).unwrap();
        assert_eq!(node_identity(&config, &runtime).unwrap(), first);
        let dev = ClientConfig { dev: true, ..config.clone() };
        assert_ne!(node_identity(&dev, &runtime).unwrap().0, first.0);
        std::fs::write(folder.path().join("client-id"), "x").unwrap();
        let error = node_identity(&config, &runtime).unwrap_err().to_string();
        assert!(error.contains("client-id") && error.contains("UUID must be 36 characters"), "{error}");
    }
}

//! Volumes that this client makes on its disk: folders, named by the volumes' ids.

use std::{
    fs::{self, DirBuilder, Permissions},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};

use drover_model::{
    ids::VolumeId,
    rpc::{
        Error,
        volume::{VolumeMade, VolumeMake},
    },
    volume::MKDIR,
};

/// Of a volume that says nothing: its owner's alone.
const MODE: u32 = 0o700;

/// Making a volume a second time finds the first one.
pub(crate) fn make(folder: &Path, message: &VolumeMake) -> Result<VolumeMade, Error> {
    if message.plugin_id != MKDIR {
        return Err(Error::bad_request(format!("this node has no volume plugin {:?}, only {MKDIR:?}", message.plugin_id)));
    }
    let mut mode = MODE;
    for (key, value) in message.parameters.iter() {
        let known = if key == "mode" { u32::from_str_radix(value, 8).ok().filter(|mode| *mode <= 0o777) } else { None };
        mode =
            known.ok_or_else(|| Error::bad_request(format!("volume parameter {key} = {value:?}: only mode is known, such as \"0750\"")))?;
    }
    let path = folder.join(message.id.to_string());
    let failed = |error: std::io::Error| Error::internal(format!("cannot make the folder {}: {error}", path.display()));
    DirBuilder::new().recursive(true).mode(0o711).create(folder).map_err(failed)?;
    match DirBuilder::new().mode(mode).create(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
        made => made.map_err(failed)?,
    }
    // The process's own mask has had its say.
    fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(failed)?;
    Ok(VolumeMade { host_path: path.display().to_string(), capacity_bytes: 0 })
}

/// Nothing is done about a volume that is elsewhere on the disk: whoever registered it takes care of it.
pub(crate) fn remove(folder: &Path, id: VolumeId) -> Result<(), Error> {
    let path = folder.join(id.to_string());
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::internal(format!("cannot remove the folder {}: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use drover_model::json::Map;

    use super::*;

    fn asked(plugin: &str, parameters: &[(&str, &str)]) -> VolumeMake {
        let parameters: Map<String> = parameters.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        VolumeMake { id: VolumeId::from_random([7; 16]), plugin_id: plugin.to_owned(), parameters }
    }

    #[test]
    fn a_volume_is_made_once_and_goes_with_all_that_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("volumes");
        let made = make(&root, &asked("mkdir", &[("mode", "0750")])).unwrap();
        let path = Path::new(&made.host_path);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o750);
        fs::write(path.join("data"), "x").unwrap();
        make(&root, &asked("mkdir", &[])).unwrap();
        assert_eq!(fs::read(path.join("data")).unwrap(), b"x");
        remove(&root, asked("mkdir", &[]).id).unwrap();
        assert!(!path.exists());
        remove(&root, asked("mkdir", &[]).id).unwrap();
        for wrong in
            [asked("lvm", &[]), asked("mkdir", &[("uid", "1")]), asked("mkdir", &[("mode", "9")]), asked("mkdir", &[("mode", "7777")])]
        {
            assert_eq!(make(&root, &wrong).unwrap_err().status, 400, "{wrong:?}");
        }
        assert!(!path.exists());
    }
}

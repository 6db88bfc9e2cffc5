//! Volumes of nodes: which ones an allocation asks for, and whether those who use one leave room for one more.
//!
//! A claim is what an allocation holds of a volume as long as it holds resources, as it holds ports. Volumes of clients' configurations have no claims.

use drover_model::{
    allocation::Allocation,
    ids::Name,
    job::TaskGroup,
    node::{HostVolume, Node},
    spec,
    volume::{AccessMode, AttachmentMode, Capability},
};

use crate::fit::{Misfit, Usage};

/// A volume that an allocation of a group asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    source: String,
    writes: bool,
    /// None: one that volumes of nodes do not know, so that none suits.
    modes: Option<(AccessMode, AttachmentMode)>,
}

/// The use of a volume by an allocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    volume: Box<str>,
    writes: bool,
    access: AccessMode,
}

/// Whether a group asks for volumes of nodes.
pub(crate) fn has_mounts(group: &TaskGroup) -> bool {
    group.volumes.values().any(is_host)
}

/// Whether each allocation of the group asks for a volume of its own.
pub(crate) fn is_numbered(group: &TaskGroup) -> bool {
    group.volumes.values().any(|volume| is_host(volume) && volume.per_alloc)
}

fn is_host(volume: &spec::Volume) -> bool {
    volume.kind != "csi"
}

/// Those of the allocation with this number.
pub(crate) fn mounts(group: &TaskGroup, index: Option<u32>) -> Vec<Mount> {
    let mount = |volume: &spec::Volume| Mount {
        source: if volume.per_alloc { format!("{}[{}]", volume.source, index.unwrap_or(0)) } else { volume.source.clone() },
        writes: !volume.read_only,
        modes: AccessMode::parse(&volume.access_mode).zip(AttachmentMode::parse(&volume.attachment_mode)),
    };
    group.volumes.values().filter(|volume| is_host(volume)).map(mount).collect()
}

/// The volumes that stay with an allocation's successors.
pub(crate) fn sticky(group: &TaskGroup) -> impl Iterator<Item = &str> {
    group.volumes.values().filter(|volume| is_host(volume) && volume.sticky).map(|volume| volume.source.as_str())
}

/// What an allocation holds.
pub fn claims(allocation: &Allocation) -> Vec<Claim> {
    match allocation.group().filter(|group| !group.volumes.is_empty()) {
        Some(group) => mounts(group, allocation.index()).iter().map(Claim::of).collect(),
        None => Vec::new(),
    }
}

impl Claim {
    /// The volume's name.
    pub fn volume(&self) -> &str {
        &self.volume
    }

    fn of(mount: &Mount) -> Self {
        let access = mount.modes.map_or(AccessMode::Unset, |(access, _)| access);
        Self { volume: mount.source.as_str().into(), writes: mount.writes, access }
    }
}

/// Whether a node has all of the volumes, with the capabilities that are asked for.
pub(crate) fn has_all(node: &Node, namespace: &Name, mounts: &[Mount]) -> bool {
    mounts.iter().all(|mount| node.host_volumes.get(&mount.source).is_some_and(|volume| suits(volume, namespace, mount)))
}

fn suits(volume: &HostVolume, namespace: &Name, mount: &Mount) -> bool {
    if !volume.is_dynamic() {
        return !(mount.writes && volume.read_only);
    }
    volume.namespace == *namespace && chosen(volume, mount).is_some()
}

/// The way in which a mount will use a volume.
fn chosen(volume: &HostVolume, mount: &Mount) -> Option<AccessMode> {
    let (access, attachment) = mount.modes?;
    let serves = |capability: &&Capability| {
        (access == AccessMode::Unset || capability.access_mode == access)
            && (attachment == AttachmentMode::Unset || capability.attachment_mode == attachment)
            && !(mount.writes && capability.access_mode == AccessMode::ReaderOnly)
    };
    volume.capabilities.iter().find(serves).map(|capability| capability.access_mode)
}

/// The volume that others use in a way that leaves no room for these.
pub(crate) fn taken(node: &Node, usage: &Usage, mounts: &[Mount]) -> Option<Misfit> {
    let is_taken = |mount: &&Mount| node.host_volumes.get(&mount.source).is_some_and(|volume| is_taken(volume, usage, mount));
    mounts.iter().find(is_taken).map(|_| Misfit::VolumeClaimed)
}

/// Who writes alone, writes alone; readers are in nobody's way.
fn is_taken(volume: &HostVolume, usage: &Usage, mount: &Mount) -> bool {
    if !volume.is_dynamic() || !mount.writes {
        return false;
    }
    let alone = chosen(volume, mount) == Some(AccessMode::SingleWriter);
    let left_to_it = volume.capabilities.iter().map(|capability| capability.access_mode).find(|mode| *mode != AccessMode::ReaderOnly);
    let mut writers = usage.claims.iter().filter(|claim| claim.writes && *claim.volume == *mount.source);
    writers.any(|claim| {
        let access = if claim.access == AccessMode::Unset { left_to_it } else { Some(claim.access) };
        alone || access == Some(AccessMode::SingleWriter)
    })
}

/// The plan applier's question about one allocation.
pub(crate) fn misfit(node: &Node, usage: &Usage, allocation: &Allocation) -> Option<Misfit> {
    let group = allocation.group().filter(|group| !group.volumes.is_empty())?;
    let mounts = mounts(group, allocation.index());
    if !has_all(node, &allocation.namespace, &mounts) {
        return Some(Misfit::VolumeGone);
    }
    taken(node, usage, &mounts)
}

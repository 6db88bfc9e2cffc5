//! Volumes on nodes that are made and registered while the cluster runs ("dynamic host volumes"), and what jobs ask of them.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{Name, NodeId, VolumeId, optional},
    job::Constraint,
    json::{List, Map},
    time::UnixNanos,
    view::AllocationStub,
};

/// The plugin that is built in: a volume is a folder.
pub const MKDIR: &str = "mkdir";

/// How allocations may use a volume side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AccessMode {
    /// Left to the volume.
    #[default]
    #[serde(rename = "")]
    Unset,
    #[serde(rename = "single-node-reader-only")]
    ReaderOnly,
    /// Readers and writers, as many as there are.
    #[serde(rename = "single-node-writer")]
    Writer,
    /// One writer, and as many readers as there are.
    #[serde(rename = "single-node-single-writer")]
    SingleWriter,
    #[serde(rename = "single-node-multi-writer")]
    MultiWriter,
}

impl AccessMode {
    /// None for what volumes on nodes do not know.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "" => Self::Unset,
            "single-node-reader-only" => Self::ReaderOnly,
            "single-node-writer" => Self::Writer,
            "single-node-single-writer" => Self::SingleWriter,
            "single-node-multi-writer" => Self::MultiWriter,
            _ => return None,
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AttachmentMode {
    #[default]
    #[serde(rename = "")]
    Unset,
    #[serde(rename = "file-system")]
    FileSystem,
    #[serde(rename = "block-device")]
    BlockDevice,
}

impl AttachmentMode {
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "" => Self::Unset,
            "file-system" => Self::FileSystem,
            "block-device" => Self::BlockDevice,
            _ => return None,
        })
    }
}

/// One way in which a volume may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Capability {
    pub attachment_mode: AttachmentMode,
    pub access_mode: AccessMode,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VolumeState {
    #[default]
    Pending,
    Ready,
    /// Its node is gone, or not to be heard.
    Unavailable,
}

impl VolumeState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A volume, as it is kept and shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Volume {
    #[serde(rename = "Namespace")]
    pub namespace: Name,
    #[serde(rename = "ID", with = "optional")]
    pub id: Option<VolumeId>,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "PluginID")]
    pub plugin_id: String,
    #[serde(rename = "NodePool")]
    pub node_pool: String,
    #[serde(rename = "NodeID", with = "optional")]
    pub node_id: Option<NodeId>,
    /// Which nodes it may be made on, when no node is named.
    #[serde(rename = "Constraints")]
    pub constraints: List<Constraint>,
    #[serde(rename = "CapacityBytes")]
    pub capacity_bytes: i64,
    #[serde(rename = "RequestedCapacityMinBytes")]
    pub min_bytes: i64,
    #[serde(rename = "RequestedCapacityMaxBytes")]
    pub max_bytes: i64,
    #[serde(rename = "RequestedCapabilities")]
    pub capabilities: List<Capability>,
    /// For the plugin.
    #[serde(rename = "Parameters")]
    pub parameters: Map<String>,
    #[serde(rename = "HostPath")]
    pub host_path: String,
    #[serde(rename = "State")]
    pub state: VolumeState,
    /// Those that use it; only in the answer to who reads one.
    #[serde(rename = "Allocations")]
    pub allocations: List<AllocationStub>,
    #[serde(rename = "CreateIndex")]
    pub create_index: u64,
    #[serde(rename = "CreateTime")]
    pub create_time: UnixNanos,
    #[serde(rename = "ModifyIndex")]
    pub modify_index: u64,
    #[serde(rename = "ModifyTime")]
    pub modify_time: UnixNanos,
}

/// A volume in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeStub {
    #[serde(rename = "Namespace")]
    pub namespace: Name,
    #[serde(rename = "ID", with = "optional")]
    pub id: Option<VolumeId>,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "PluginID")]
    pub plugin_id: String,
    #[serde(rename = "NodePool")]
    pub node_pool: String,
    #[serde(rename = "NodeID", with = "optional")]
    pub node_id: Option<NodeId>,
    #[serde(rename = "CapacityBytes")]
    pub capacity_bytes: i64,
    #[serde(rename = "State")]
    pub state: VolumeState,
    #[serde(rename = "CreateIndex")]
    pub create_index: u64,
    #[serde(rename = "CreateTime")]
    pub create_time: UnixNanos,
    #[serde(rename = "ModifyIndex")]
    pub modify_index: u64,
    #[serde(rename = "ModifyTime")]
    pub modify_time: UnixNanos,
}

/// The longest name.
const MOST_NAME: usize = 128;

impl Volume {
    pub fn stub(&self) -> VolumeStub {
        VolumeStub {
            namespace: self.namespace.clone(),
            id: self.id,
            name: self.name.clone(),
            plugin_id: self.plugin_id.clone(),
            node_pool: self.node_pool.clone(),
            node_id: self.node_id,
            capacity_bytes: self.capacity_bytes,
            state: self.state,
            create_index: self.create_index,
            create_time: self.create_time,
            modify_index: self.modify_index,
            modify_time: self.modify_time,
        }
    }

    /// Fills in what is not said.
    pub fn canonicalize(&mut self) {
        if self.capabilities.is_empty() {
            self.capabilities.push(Capability::default());
        }
        for capability in &mut self.capabilities.0 {
            if capability.access_mode == AccessMode::Unset {
                capability.access_mode = AccessMode::Writer;
            }
            if capability.attachment_mode == AttachmentMode::Unset {
                capability.attachment_mode = AttachmentMode::FileSystem;
            }
        }
    }

    /// Why it cannot be a volume.
    pub fn check(&self) -> Result<(), String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '[' | ']' | '.');
        if self.name.is_empty() || self.name.len() > MOST_NAME || !self.name.chars().all(fits) {
            return Err(format!("invalid volume name {:?}: 1 to {MOST_NAME} letters, digits and - _ . [ ] are allowed", self.name));
        }
        if self.min_bytes < 0 || self.max_bytes < 0 || self.capacity_bytes < 0 {
            return Err(format!("volume {:?} has a negative capacity", self.name));
        }
        if self.max_bytes > 0 && self.min_bytes > self.max_bytes {
            return Err(format!("volume {:?}: capacity_min is more than capacity_max", self.name));
        }
        Ok(())
    }
}

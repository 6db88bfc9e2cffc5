//! Ids are types, so that one kind never stands where another is meant.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A short string that many rows share (namespace, job id, group name): cloning it costs a counter.
pub type Name = Arc<str>;

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// From 16 random bytes, which the caller drew from its `Random`.
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
            }

            /// The first eight hexadecimal digits, as shown to people.
            pub fn short(&self) -> String {
                self.0.to_string()[..8].to_owned()
            }

            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            pub fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                // The hyphenated form only: it is what the API prints, and other spellings would make one id look like two.
                if text.len() != 36 {
                    return Err(InvalidId);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
            }
        }
    )+};
}

/// Not a UUID of 36 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("UUID must be 36 characters")]
pub struct InvalidId;

typed_ids! {
    /// One placement of a task group on a node.
    AllocId,
    /// A machine that runs a client.
    NodeId,
    /// A request to bring a job's allocations in line with its specification.
    EvalId,
    /// One roll-out of a version of a job.
    DeploymentId,
    /// A signing or encryption key of the servers.
    KeyId,
    /// A volume on a node.
    VolumeId,
}

/// An optional id, written as the empty string when absent (as the API does).
pub mod optional {
    use super::*;
    use serde::{Deserializer, Serializer, de};

    pub fn serialize<S: Serializer, T: fmt::Display>(id: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => serializer.collect_str(id),
            None => serializer.serialize_str(""),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>, T: FromStr<Err = InvalidId>>(deserializer: D) -> Result<Option<T>, D::Error> {
        match Option::<String>::deserialize(deserializer)? {
            None => Ok(None),
            Some(text) if text.is_empty() => Ok(None),
            Some(text) => text.parse().map(Some).map_err(de::Error::custom),
        }
    }
}

/// A job, wherever it is looked up: its id is unique within its namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobKey {
    #[serde(rename = "Namespace")]
    pub namespace: Name,
    #[serde(rename = "ID")]
    pub id: Name,
}

impl JobKey {
    pub fn new(namespace: impl Into<Name>, id: impl Into<Name>) -> Self {
        Self { namespace: namespace.into(), id: id.into() }
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.id)
    }
}

//! What people do with the servers' own catalogue. Reading it is in [`super::node`]: clients do the same.

use serde::{Deserialize, Serialize};

use super::job::Written;
use crate::{ids::Name, method};

/// Takes one instance out of the catalogue by hand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceDelete {
    pub namespace: Name,
    pub name: String,
    pub id: String,
}
method!(ServiceDelete, "services.delete", Written);

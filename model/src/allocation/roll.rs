//! Changed texts of templates with `change_mode = "rolling"`: they wait on the client until it is their allocation's turn.

use serde::{Deserialize, Serialize};

use super::Allocation;
use crate::{
    ids::{DeploymentId, Name, optional},
    time::UnixNanos,
};

/// How far the changed texts of an allocation are. It holds nothing of what they say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TemplateRoll {
    /// Stands for the texts that wait; empty when none do. Derived from them under a key that never leaves the client, so that it changes when they change and
    /// nobody can try out what they might say.
    pub waiting: Name,
    pub since: UnixNanos,
    /// What waited when a deployment failed: as long as it is the same, it gets no turn.
    pub passed_over: Name,
    /// The deployment that last let texts in.
    #[serde(with = "optional")]
    pub turn: Option<DeploymentId>,
}

impl Allocation {
    /// What stands for its changed texts that wait; empty when none do.
    pub fn templates_waiting(&self) -> Name {
        self.template_roll.as_ref().map(|roll| roll.waiting.clone()).unwrap_or_default()
    }

    pub fn awaits_turn(&self) -> bool {
        self.template_roll.as_ref().is_some_and(|roll| !roll.waiting.is_empty())
    }

    /// The deployment of templates that it is part of: it may take in whatever waits.
    pub fn turn(&self) -> Option<DeploymentId> {
        self.template_roll.as_ref().and_then(|roll| roll.turn).filter(|turn| self.deployment_id == Some(*turn))
    }
}

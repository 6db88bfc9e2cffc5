//! `drover template ...`

pub(crate) mod render;
pub(crate) mod servers;

use crate::verbs;

verbs! {
    /// Render one file against Consul, Vault and an agent, as a task's template would be
    Render(render::Args),
}

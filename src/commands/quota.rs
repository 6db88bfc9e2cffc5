//! `drover quota ...`

pub(crate) mod apply;
pub(crate) mod delete;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod status;

use crate::verbs;

verbs! {
    /// Make a quota, or change one
    Apply(apply::Args),
    /// List quotas
    List(list::Args),
    /// Show a quota and what is in use of it
    Status(status::Args),
    /// Print a quota as JSON
    Inspect(inspect::Args),
    /// Write an example file
    Init(init::Args),
    /// Remove a quota that no namespace names
    Delete(delete::Args),
}

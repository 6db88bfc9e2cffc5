//! `drover eval ...`

pub(crate) mod list;
pub(crate) mod status;

use crate::verbs;

verbs! {
    /// List evaluations
    List(list::Args),
    /// Show one evaluation: what it placed, what it could not, and why
    Status(status::Args),
}

//! `drover bench ...`

pub(crate) mod template;

use crate::verbs;

verbs! {
    /// From a changed key to the changed files of those who watch it
    Template(template::Args),
}

//! `drover job tag ...`

pub(crate) mod apply;
pub(crate) mod unset;

use crate::verbs;

verbs! {
    /// Give a version of a job a name, under which it is kept
    Apply(apply::Args),
    /// Take a version's name away
    Unset(unset::Args),
}

//! `drover ca ...`

pub(crate) mod rotate;
pub(crate) mod show;

use crate::verbs;

verbs! {
    /// Print the certificate authority's certificate (PEM)
    Show(show::Args),
    /// Make another certificate authority
    Rotate(rotate::Args),
}

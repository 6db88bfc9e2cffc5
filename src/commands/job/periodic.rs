//! `drover job periodic ...`

pub(crate) mod force;

use crate::verbs;

verbs! {
    /// Launch a periodic job now, beside its times
    Force(force::Args),
}

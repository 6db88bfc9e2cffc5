//! `drover system ...`

pub(crate) mod gc;

use crate::verbs;

verbs! {
    /// Forget everything that has ended, now
    Gc(gc::Args),
}

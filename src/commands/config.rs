//! `drover config ...`

pub(crate) mod validate;

use crate::verbs;

verbs! {
    /// Check files or folders of an agent's configuration
    Validate(validate::Args),
}

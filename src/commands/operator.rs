//! `drover operator ...`

pub(crate) mod api;

use crate::verbs;

verbs! {
    /// Call any path of the API and print the answer
    Api(api::Args),
}

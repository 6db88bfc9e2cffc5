//! Ids that begin with a prefix.

use drover_model::{
    json::List,
    rpc::{
        Error,
        search::{CONTEXTS, Found as Matches, MAX_MATCHES, Search},
    },
};

use super::{Found, page::in_namespace};
use crate::state::{IdPrefix, State};

pub(super) fn search(state: &State, message: &Search) -> Result<Found<Matches>, Error> {
    let mut found = Matches::default();
    let contexts = CONTEXTS.into_iter().filter(|context| message.context == "all" || message.context == *context);
    for context in contexts {
        let mut ids = matches(state, message, context);
        let is_truncated = ids.len() > MAX_MATCHES;
        ids.truncate(MAX_MATCHES);
        found.matches.insert(context.to_owned(), List(ids));
        found.truncations.insert(context.to_owned(), is_truncated);
    }
    Ok(Found::new(found))
}

/// One more than are shown, so that it is known whether there are more.
fn matches(state: &State, message: &Search, context: &str) -> Vec<String> {
    let (options, prefix) = (&message.options, message.prefix.as_str());
    let id = IdPrefix::parse(prefix).filter(|_| !prefix.is_empty() || message.context != "all");
    let most = MAX_MATCHES + 1;
    match context {
        "jobs" => {
            let jobs = state.jobs().filter(|job| in_namespace(options, &job.namespace) && job.id.starts_with(prefix));
            jobs.take(most).map(|job| job.id.to_string()).collect()
        }
        "allocs" => {
            let rows = id.map(|id| state.allocations_with_prefix(id)).into_iter().flatten();
            rows.filter(|row| in_namespace(options, &row.namespace)).take(most).map(|row| row.id.to_string()).collect()
        }
        "evals" => {
            let rows = id.map(|id| state.evaluations_with_prefix(id)).into_iter().flatten();
            rows.filter(|row| in_namespace(options, &row.namespace)).take(most).map(|row| row.id.to_string()).collect()
        }
        "deployment" => {
            let rows = id.map(|id| state.deployments_with_prefix(id)).into_iter().flatten();
            rows.filter(|row| in_namespace(options, &row.namespace)).take(most).map(|row| row.id.to_string()).collect()
        }
        "nodes" => id.map(|id| state.nodes_with_prefix(id)).into_iter().flatten().take(most).map(|row| row.id.to_string()).collect(),
        "node_pools" => ["all", "default"].into_iter().filter(|name| name.starts_with(prefix)).map(str::to_owned).collect(),
        "vars" => {
            let rows = state.variables().filter(|row| in_namespace(options, &row.namespace) && row.path.starts_with(prefix));
            rows.take(most).map(|row| row.path.to_string()).collect()
        }
        "namespaces" => Some("default").into_iter().filter(|name| name.starts_with(prefix)).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

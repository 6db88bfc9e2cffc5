//! What a Consul or a Vault needs so that workloads can log in there with their identities: looked at, written, taken away.
//!
//! Everything is compared before it is written, so that doing it twice does nothing the second time.

use futures::future::BoxFuture;

use crate::Result;

pub use consul::ConsulSetup;
pub use vault::VaultSetup;

mod consul;
mod vault;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only look.
    Check,
    Apply,
    Destroy,
}

/// What was found of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    AsWanted,
    Different,
    Missing,
}

/// One thing: what it is, how it was found, and whether it was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub what: String,
    pub found: Found,
    pub changed: bool,
}

/// One thing that can be looked at, written and taken away.
trait Thing: Send + Sync {
    fn what(&self) -> String;
    fn look(&self) -> BoxFuture<'_, Result<Found>>;
    fn write(&self) -> BoxFuture<'_, Result<()>>;
    /// None: it goes with another one.
    fn remove(&self) -> Option<BoxFuture<'_, Result<()>>>;
}

/// Does it for one thing after the other; taking away goes backwards.
async fn go(mut things: Vec<Box<dyn Thing + '_>>, mode: Mode) -> Result<Vec<Step>> {
    if mode == Mode::Destroy {
        things.reverse();
    }
    let mut steps = Vec::new();
    for thing in things {
        let found = thing.look().await?;
        let changed = match mode {
            Mode::Check => false,
            Mode::Apply if found == Found::AsWanted => false,
            Mode::Apply => thing.write().await.map(|()| true)?,
            Mode::Destroy if found == Found::Missing => false,
            Mode::Destroy => match thing.remove() {
                Some(removal) => removal.await.map(|()| true)?,
                None => continue,
            },
        };
        steps.push(Step { what: thing.what(), found, changed });
    }
    Ok(steps)
}

/// Whether `found` has all that `wanted` has, with the same values; more may be there. Lists are equal as sets, and an empty value is the same as none.
fn holds(found: &serde_json::Value, wanted: &serde_json::Value) -> bool {
    use serde_json::Value;
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| holds(found.get(key).unwrap_or(&Value::Null), wanted))
        }
        (Value::Array(found), Value::Array(wanted)) => found.len() == wanted.len() && wanted.iter().all(|one| found.contains(one)),
        (found, wanted) => found == wanted || (is_empty(found) && is_empty(wanted)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn more_may_be_there_and_nothing_may_differ() {
        for (found, wanted, want) in [
            (json!({"a": 1, "b": 2}), json!({"a": 1}), true),
            (json!({"a": ["x", "y"]}), json!({"a": ["y", "x"]}), true),
            (json!({"a": ["x"]}), json!({"a": ["y", "x"]}), false),
            (json!({"a": {"b": ""}}), json!({"a": {"b": null}}), true),
            (json!({}), json!({"a": {"b": 1}}), false),
            (json!({"a": true}), json!({"a": false}), false),
        ] {
            assert_eq!(holds(&found, &wanted), want, "{found} {wanted}");
        }
    }
}

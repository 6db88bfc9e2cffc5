//! The node's labels (`meta`), which people may change while it runs.

use std::collections::BTreeMap;

use drover_model::rpc::{Error, client::NodeMeta};

use crate::Handle;

/// Labels that may be set beside those of the configuration.
const MOST: usize = 1000;
const MOST_KEY_BYTES: usize = 256;
const MOST_VALUE_BYTES: usize = 64 << 10;

/// What was set; none takes a label of the configuration away.
pub(crate) type Dynamic = BTreeMap<String, Option<String>>;

/// The labels that count.
pub(crate) fn merged(configured: &BTreeMap<String, String>, dynamic: &Dynamic) -> BTreeMap<String, String> {
    let mut all = configured.clone();
    for (key, value) in dynamic {
        match value {
            Some(value) => drop(all.insert(key.clone(), value.clone())),
            None => drop(all.remove(key)),
        }
    }
    all
}

/// `changes` on top of what was set before. A label that is taken away needs to be remembered only where the configuration has it.
fn changed(configured: &BTreeMap<String, String>, before: &Dynamic, changes: Dynamic) -> Result<Dynamic, Error> {
    let mut dynamic = before.clone();
    for (key, value) in changes {
        let named = !key.is_empty() && key.len() <= MOST_KEY_BYTES && !key.contains(|c: char| c.is_whitespace() || c.is_control());
        if !named {
            return Err(Error::bad_request(format!("{key:?} is no name for a label: 1 to {MOST_KEY_BYTES} bytes without spaces")));
        }
        if value.as_ref().is_some_and(|value| value.len() > MOST_VALUE_BYTES) {
            return Err(Error::bad_request(format!("label {key:?} is longer than {} KiB", MOST_VALUE_BYTES >> 10)));
        }
        match value {
            None if !configured.contains_key(&key) => drop(dynamic.remove(&key)),
            value => drop(dynamic.insert(key, value)),
        }
    }
    if dynamic.len() > MOST {
        return Err(Error::bad_request(format!("a node may have {MOST} labels beside those of its configuration")));
    }
    Ok(dynamic)
}

impl Handle {
    pub(crate) fn labels(&self) -> NodeMeta {
        let (configured, dynamic) = (self.inner.shared.config.meta.clone(), self.inner.labels().clone());
        NodeMeta { meta: merged(&configured, &dynamic), dynamic, configured }
    }

    /// Remembered first, then told to the servers.
    pub(crate) fn set_labels(&self, changes: Dynamic) -> Result<NodeMeta, Error> {
        let shared = &self.inner.shared;
        let mut labels = self.inner.labels();
        let dynamic = changed(&shared.config.meta, &labels, changes)?;
        shared.state.put_labels(&dynamic);
        labels.clone_from(&dynamic);
        // Told while nobody else can change them, so that the last to be set is the last to be told.
        self.update_node(|node| node.meta = merged(&shared.config.meta, &dynamic));
        drop(labels);
        Ok(self.labels())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_set_and_taken_away() {
        let configured = BTreeMap::from([("rack".to_owned(), "r1".to_owned())]);
        let change = |pairs: &[(&str, Option<&str>)]| -> Dynamic {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect()
        };
        let mut dynamic = Dynamic::new();
        for (changes, want) in [
            (vec![("zone", Some("z1")), ("drop", None)], "rack=r1 zone=z1"),
            (vec![("rack", None)], "zone=z1"),
            (vec![("rack", Some("r2")), ("zone", None)], "rack=r2"),
        ] {
            dynamic = changed(&configured, &dynamic, change(&changes)).unwrap();
            let text: Vec<String> = merged(&configured, &dynamic).iter().map(|(key, value)| format!("{key}={value}")).collect();
            assert_eq!(text.join(" "), want);
        }
        assert_eq!(dynamic, change(&[("rack", Some("r2"))]));
        for bad in ["", "a b", "a\n"] {
            assert!(changed(&configured, &dynamic, change(&[(bad, Some("x"))])).is_err(), "{bad:?}");
        }
    }
}

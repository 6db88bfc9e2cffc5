//! One block of configuration, read key by key: whoever reads it names every key it knows, and what is left over is an error.

use std::{collections::BTreeMap, time::Duration};

use super::{
    ConfigError,
    hcl::{Body, Entry, Place, Value},
};

/// A block, or the top level of a file.
#[derive(Debug)]
pub(super) struct Section {
    /// How it is called in messages, such as `client.template`; empty at the top level.
    path: String,
    entries: Vec<Entry>,
    /// Every key that was asked for, which is every key there is.
    known: Vec<&'static str>,
}

impl Section {
    pub(super) fn new(path: impl Into<String>, body: Body) -> Self {
        Self { path: path.into(), entries: body.0, known: Vec::new() }
    }

    fn named(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn invalid(&self, place: &Place, key: &str, message: impl std::fmt::Display) -> ConfigError {
        ConfigError::Invalid { place: place.to_string(), message: format!("{}: {message}", self.named(key)) }
    }

    /// Takes the values of a key out. `null` counts as absent.
    fn take(&mut self, key: &'static str) -> Vec<Entry> {
        self.known.push(key);
        let taken = self.entries.extract_if(.., |entry| entry.key == key);
        taken.filter(|entry| entry.value != Value::Null).collect()
    }

    /// A key that may be given once; a later one wins, as in later files.
    fn last(&mut self, key: &'static str) -> Option<Entry> {
        self.take(key).pop()
    }

    fn read<T>(&mut self, key: &'static str, wanted: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>, ConfigError> {
        let Some(entry) = self.last(key) else { return Ok(None) };
        match read(&entry.value) {
            Some(value) => Ok(Some(value)),
            None => {
                let found = describe(&entry.value);
                Err(self.invalid(&entry.place, key, format!("must be {wanted}, not {found}")))
            }
        }
    }

    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, ConfigError> {
        self.read(key, "a string", text)
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        self.read(key, "true or false", |value| match value {
            Value::Bool(flag) => Some(*flag),
            Value::Text(word) | Value::Number(word) => match word.as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        })
    }

    /// A whole number that fits its type.
    pub(super) fn number<N: TryFrom<i128>>(&mut self, key: &'static str) -> Result<Option<N>, ConfigError> {
        self.read(key, "a whole number in range", |value| match value {
            Value::Number(digits) | Value::Text(digits) => whole(digits).and_then(|number| N::try_from(number).ok()),
            _ => None,
        })
    }

    pub(super) fn float(&mut self, key: &'static str) -> Result<Option<f64>, ConfigError> {
        self.read(key, "a number", |value| match value {
            Value::Number(digits) | Value::Text(digits) => digits.parse().ok(),
            _ => None,
        })
    }

    /// A duration such as `"30s"`. A bare number is nanoseconds, as the API has it.
    pub(super) fn duration(&mut self, key: &'static str) -> Result<Option<Duration>, ConfigError> {
        self.read(key, "a duration such as \"30s\"", |value| {
            let nanos = match value {
                Value::Text(text) => drover_model::spec::parse_duration(text).ok()?.into(),
                Value::Number(digits) => whole(digits)?,
                _ => return None,
            };
            u64::try_from(nanos).ok().map(Duration::from_nanos)
        })
    }

    /// A list of strings; one string alone is a list of one.
    pub(super) fn texts(&mut self, key: &'static str) -> Result<Option<Vec<String>>, ConfigError> {
        self.read(key, "a list of strings", |value| match value {
            Value::List(items) => items.iter().map(text).collect(),
            other => text(other).map(|one| vec![one]),
        })
    }

    /// A block of free keys with text values, merged over all times it is given.
    pub(super) fn map(&mut self, key: &'static str) -> Result<BTreeMap<String, String>, ConfigError> {
        let mut map = BTreeMap::new();
        for entry in self.blocks_of(key)?.into_iter().flat_map(|(body, _)| body.0) {
            match text(&entry.value) {
                Some(value) => map.insert(entry.key, value),
                None => {
                    let message = format!("{} must be a string, not {}", entry.key, describe(&entry.value));
                    return Err(self.invalid(&entry.place, key, message));
                }
            };
        }
        Ok(map)
    }

    fn blocks_of(&mut self, key: &'static str) -> Result<Vec<(Body, Place)>, ConfigError> {
        let mut bodies = Vec::new();
        for entry in self.take(key) {
            let place = entry.place;
            match entry.value {
                Value::Block(body) => bodies.push((body, place)),
                Value::List(items) => {
                    for item in items {
                        match item {
                            Value::Block(body) => bodies.push((body, place.clone())),
                            other => return Err(self.invalid(&place, key, format!("must be a block, not {}", describe(&other)))),
                        }
                    }
                }
                other => return Err(self.invalid(&place, key, format!("must be a block, not {}", describe(&other)))),
            }
        }
        Ok(bodies)
    }

    /// Every block of this name, each to be read (and finished) by itself.
    pub(super) fn blocks(&mut self, key: &'static str) -> Result<Vec<Section>, ConfigError> {
        let path = self.named(key);
        Ok(self.blocks_of(key)?.into_iter().map(|(body, _)| Section::new(path.clone(), body)).collect())
    }

    /// Reads every block of this name with `read`.
    pub(super) fn each(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        for mut block in self.blocks(key)? {
            read(&mut block)?;
            block.finish()?;
        }
        Ok(())
    }

    /// Reads every block `key "LABEL" { ... }` with `read`.
    pub(super) fn each_labelled(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(String, &mut Section) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let path = self.named(key);
        for entry in self.blocks_of(key)?.into_iter().flat_map(|(body, _)| body.0) {
            match entry.value {
                Value::Block(body) => {
                    let mut section = Section::new(format!("{path} {:?}", entry.key), body);
                    read(entry.key, &mut section)?;
                    section.finish()?;
                }
                _ => {
                    let message = format!("needs a name: {key} \"NAME\" {{ ... }}");
                    return Err(self.invalid(&entry.place, key, message));
                }
            }
        }
        Ok(())
    }

    /// A block whose keys are somebody else's (a driver's settings), as JSON.
    pub(super) fn free(&mut self, key: &'static str) -> Result<serde_json::Map<String, serde_json::Value>, ConfigError> {
        let mut map = serde_json::Map::new();
        for (body, _) in self.blocks_of(key)? {
            for entry in body.0 {
                map.insert(entry.key, json(entry.value));
            }
        }
        Ok(map)
    }

    /// Keys that are understood and change nothing here: what they set does not exist in Drover or is decided otherwise.
    pub(super) fn accepted(&mut self, keys: &[&'static str]) {
        for key in keys {
            self.take(key);
        }
    }

    /// As [`Section::accepted`], but says where each that is given stands.
    pub(super) fn given(&mut self, key: &'static str) -> Option<Place> {
        self.last(key).map(|entry| entry.place)
    }

    /// Fails for the first key that nobody asked for.
    pub(super) fn finish(&self) -> Result<(), ConfigError> {
        let Some(left) = self.entries.first() else { return Ok(()) };
        let block = if self.path.is_empty() { String::new() } else { format!("{} ", self.path) };
        let hint = nearest(&left.key, &self.known).map(|known| format!(" (did you mean {known:?}?)")).unwrap_or_default();
        Err(ConfigError::UnknownKey { place: left.place.to_string(), block, key: left.key.clone(), hint })
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::Number(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::List(_) | Value::Block(_) => None,
    }
}

fn whole(digits: &str) -> Option<i128> {
    match digits.strip_prefix("0x") {
        Some(hex) => i128::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    }
}

/// The value in a message: what it is, and the value itself when it is short and plain.
fn describe(value: &Value) -> String {
    match value {
        Value::Text(text) if text.len() <= 40 => format!("{text:?}"),
        Value::Number(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        other => other.kind().to_owned(),
    }
}

fn json(value: Value) -> serde_json::Value {
    match value {
        Value::Text(text) => text.into(),
        Value::Bool(flag) => flag.into(),
        Value::Null => serde_json::Value::Null,
        Value::List(items) => items.into_iter().map(json).collect(),
        Value::Block(body) => serde_json::Value::Object(body.0.into_iter().map(|entry| (entry.key, json(entry.value))).collect()),
        Value::Number(digits) => {
            let whole = whole(&digits).and_then(|number| i64::try_from(number).ok()).map(serde_json::Value::from);
            whole.or_else(|| digits.parse::<f64>().ok().map(serde_json::Value::from)).unwrap_or(serde_json::Value::Null)
        }
    }
}

/// The known key that is at most two edits away.
fn nearest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    let scored = known.iter().map(|candidate| (distance(key, candidate), *candidate));
    scored.filter(|(edits, candidate)| *edits <= 2 && candidate.len() > 3).min().map(|(_, candidate)| candidate)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

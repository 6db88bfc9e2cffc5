//! Error texts without what must stay secret.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::data::Data;
use crate::dependency::Dependency;
use crate::engine::View;
use crate::go::quote::quote;

const REPLACEMENT: &str = "[redacted]";
/// A shorter text deep inside a secret would blot out half of every message and protect nothing.
const SHORTEST_NESTED: usize = 3;

/// Replaces every value that came from a secret, wherever it appears.
pub(crate) fn redact(text: &str, used: &BTreeSet<Dependency>, view: &View) -> String {
    let mut secrets = BTreeSet::new();
    for dependency in used.iter().filter(|dependency| dependency.is_secret()) {
        match view.get(dependency).map(|data| &**data) {
            Some(Data::Secret(Some(secret))) => secret.data.values().for_each(|value| collect(value, 1, &mut secrets)),
            Some(Data::Variable(Some(variable))) => secrets.extend(variable.items.values().cloned()),
            Some(Data::Certificate(certificate)) => {
                secrets.insert(certificate.key.clone());
            }
            Some(Data::CaLeaf(leaf)) => {
                secrets.insert(leaf.private_key_pem.clone());
            }
            _ => {}
        }
    }
    secrets.remove("");
    let mut secrets: Vec<String> = secrets.into_iter().collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    replace_all(text, &secrets)
}

/// In one pass over the text, so that a short secret cannot cut up a replacement.
fn replace_all(text: &str, secrets: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match secrets.iter().find(|secret| rest.starts_with(secret.as_str())) {
            Some(secret) => {
                out.push_str(REPLACEMENT);
                rest = &rest[secret.len()..];
            }
            None => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

/// All texts and numbers of at least `shortest` bytes.
fn collect(value: &Value, shortest: usize, secrets: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() >= shortest => {
            secrets.insert(text.clone());
            // A secret is also hidden in its quoted form.
            let quoted = quote(text.as_bytes());
            secrets.insert(quoted[1..quoted.len() - 1].to_owned());
        }
        Value::Number(number) if number.to_string().len() >= shortest => {
            secrets.insert(number.to_string());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, SHORTEST_NESTED, secrets)),
        Value::Object(entries) => entries.values().for_each(|item| collect(item, SHORTEST_NESTED, secrets)),
        _ => {}
    }
}

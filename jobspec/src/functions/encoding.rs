//! Base64, JSON, URLs, CSV and YAML.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;

pub(super) const TABLE: &[Function] = &[
    function("base64decode", &["str"], None, |_, a| base64decode(a)),
    function("base64encode", &["str"], None, |_, a| Ok(Value::from(STANDARD.encode(a.text(0)?.as_bytes())))),
    function("csvdecode", &["str"], None, |_, a| csvdecode(a)),
    function("jsondecode", &["str"], None, |_, a| jsondecode(a)),
    function("jsonencode", &["val"], None, |_, a| Ok(Value::from(json_text(a.value(0)?)))),
    function("urlencode", &["str"], None, |_, a| Ok(Value::from(urlencode(&a.text(0)?)))),
    function("yamldecode", &["src"], None, |_, a| yaml::decode(&a.text(0)?).map_err(|reason| Failure::Argument(0, reason))),
    function("yamlencode", &["value"], None, |_, a| Ok(Value::from(yaml::encode(a.value(0)?)))),
];

fn base64decode(arguments: Arguments<'_>) -> Outcome {
    let text = arguments.text(0)?;
    let Ok(bytes) = STANDARD.decode(text.as_bytes()) else { return failure("failed to decode base64 data") };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Value::from(text)),
        Err(_) => failure("the result of decoding the provided string is not valid UTF-8"),
    }
}

/// Compact JSON in which `<`, `>` and `&` are escaped, so that it can stand in a web page.
pub(super) fn json_text(value: &Value) -> String {
    let text = value.to_json().to_string();
    if !text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            other => escaped.push(other),
        }
    }
    escaped
}

fn jsondecode(arguments: Arguments<'_>) -> Outcome {
    let text = arguments.text(0)?;
    match serde_json::from_str(&text) {
        Ok(json) => Ok(Value::from_json(json)),
        Err(error) => Err(Failure::Argument(0, error.to_string())),
    }
}

fn urlencode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            b' ' => encoded.push('+'),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// A list of objects, one per line after the first, which names their attributes.
fn csvdecode(arguments: Arguments<'_>) -> Outcome {
    let text = arguments.text(0)?;
    let mut rows = csv_rows(&text)?.into_iter();
    let Some(header) = rows.next() else { return failure("missing header line") };
    let mut records = Vec::new();
    for (at, row) in rows.enumerate() {
        if row.len() != header.len() {
            return failure(format!("wrong number of fields on line {}", at + 2));
        }
        let record: BTreeMap<String, Value> = header.iter().cloned().zip(row.into_iter().map(Value::from)).collect();
        if record.len() != header.len() {
            return failure("the header names a column twice");
        }
        records.push(Value::object(record));
    }
    Ok(Value::list(records))
}

fn csv_rows(text: &str) -> Result<Vec<Vec<String>>, Failure> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut field = String::new();
    let mut chars = text.chars().filter(|c| *c != '\r').peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if field.is_empty() => loop {
                match chars.next() {
                    Some('"') if chars.next_if_eq(&'"').is_some() => field.push('"'),
                    Some('"') => break,
                    Some(other) => field.push(other),
                    None => return failure("a quoted field is not closed"),
                }
            },
            ',' => row.push(std::mem::take(&mut field)),
            '\n' if row.is_empty() && field.is_empty() => {}
            '\n' => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            other => field.push(other),
        }
    }
    if !row.is_empty() || !field.is_empty() {
        row.push(field);
        rows.push(row);
    }
    Ok(rows)
}

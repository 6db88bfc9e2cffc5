//! YAML: all that `yamlencode` can produce, and the part of the language that configuration files are written in.

use crate::value::Value;

use super::encoding::json_text;

mod decode;
mod flow;

pub(super) use decode::decode;

/// A document in block style with quoted strings.
pub(super) fn encode(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, indent: usize, text: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (at, (key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    text.push_str(&pad);
                }
                text.push_str(&json_text(&Value::from(key.as_str())));
                text.push(':');
                nested(value, indent, text);
            }
        }
        Value::List(items) | Value::Set(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push_str(&pad);
                }
                text.push_str("- ");
                block(item, indent + 2, text);
            }
        }
        scalar => {
            text.push_str(&inline(scalar, indent));
            text.push('\n');
        }
    }
}

/// The value of a key: lists stand at the key's own indentation, maps two deeper.
fn nested(value: &Value, indent: usize, text: &mut String) {
    let deeper = match value {
        Value::Object(entries) if !entries.is_empty() => indent + 2,
        Value::List(items) | Value::Set(items) if !items.is_empty() => indent,
        _ => {
            text.push(' ');
            block(value, indent, text);
            return;
        }
    };
    text.push('\n');
    text.push_str(&" ".repeat(deeper));
    block(value, deeper, text);
}

fn inline(value: &Value, indent: usize) -> String {
    match value {
        Value::Object(_) => "{}".to_owned(),
        Value::List(_) | Value::Set(_) => "[]".to_owned(),
        Value::String(text) if text.contains('\n') && !text.starts_with([' ', '\n']) => literal(text, indent),
        other => json_text(other),
    }
}

/// Several lines as a literal block.
fn literal(text: &str, indent: usize) -> String {
    let (chomp, body) = match text.strip_suffix('\n') {
        Some(body) if !body.ends_with('\n') => ("", body),
        Some(_) => ("+", text),
        None => ("-", text),
    };
    let pad = " ".repeat(indent + 2);
    let lines: Vec<String> = body.lines().map(|line| if line.is_empty() { String::new() } else { format!("{pad}{line}") }).collect();
    format!("|{chomp}\n{}", lines.join("\n"))
}

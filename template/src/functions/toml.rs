//! Values to TOML.

use crate::go::context::check_bytes;
use crate::go::float;
use crate::go::format;
use crate::go::function::Fault;
use crate::go::value::Value;
use crate::limits::DOCUMENT_DEPTH;

/// Without a newline at the end. Contents of tables are indented by two blanks for each level.
pub(super) fn encode(value: &Value) -> Result<String, Fault> {
    let mut out = String::new();
    match entries(value) {
        Some(entries) => table(&mut out, &[], &entries)?,
        None => inline(&mut out, value)?,
    }
    Ok(out.trim().to_owned())
}

/// The entries of what TOML calls a table, without those that have no value.
fn entries(value: &Value) -> Option<Vec<(String, Value)>> {
    let pairs: Vec<(String, Value)> = match value {
        Value::Map(map) => map.snapshot().into_iter().map(|(key, value)| (format::to_string(&key.value()), value)).collect(),
        Value::Object(object) => match object.plain() {
            Some(plain) => return entries(&plain),
            None => object.fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        },
        _ => return None,
    };
    Some(pairs.into_iter().filter(|(_, value)| !matches!(value, Value::Nil | Value::NilPointer(_))).collect())
}

/// A list that consists of tables alone.
fn tables(value: &Value) -> Option<Vec<Vec<(String, Value)>>> {
    let items = value.items().filter(|items| !items.is_empty())?;
    items.iter().map(entries).collect()
}

fn table(out: &mut String, path: &[&str], pairs: &[(String, Value)]) -> Result<(), Fault> {
    check_bytes(out.len())?;
    if path.len() > DOCUMENT_DEPTH {
        return Err(Fault::Limit(format!("a document nested more than {DOCUMENT_DEPTH} deep")));
    }
    let (below, simple): (Vec<_>, Vec<_>) = pairs.iter().partition(|(_, value)| entries(value).is_some() || tables(value).is_some());
    for (name, value) in simple {
        *out += &format!("{}{} = ", "  ".repeat(path.len()), key(name));
        inline(out, value)?;
        out.push('\n');
    }
    for (name, value) in below {
        let path: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
        let header: Vec<String> = path.iter().map(|part| key(part)).collect();
        let (indent, header) = ("  ".repeat(path.len() - 1), header.join("."));
        if let Some(list) = tables(value) {
            for item in list {
                *out += &format!("\n{indent}[[{header}]]\n");
                table(out, &path, &item)?;
            }
        } else {
            // A blank line stands between tables of the first level.
            let space = if path.len() == 1 && !out.is_empty() { "\n" } else { "" };
            *out += &format!("{space}{indent}[{header}]\n");
            table(out, &path, &entries(value).unwrap_or_default())?;
        }
    }
    Ok(())
}

fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare { name.to_owned() } else { string(name) }
}

fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out += &format!("\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn inline(out: &mut String, value: &Value) -> Result<(), Fault> {
    check_bytes(out.len())?;
    match value {
        Value::Nil | Value::NilPointer(_) => return Err("toml: cannot encode a nil value".into()),
        Value::Str(text) | Value::Number(text) => out.push_str(&string(&text.to_str())),
        Value::Float(value) => out.push_str(&number(*value)),
        Value::List(list) => {
            out.push('[');
            for (index, item) in list.items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                inline(out, item)?;
            }
            out.push(']');
        }
        other => match entries(other) {
            Some(pairs) => {
                out.push('{');
                for (index, (name, value)) in pairs.iter().enumerate() {
                    let separator = if index > 0 { ", " } else { "" };
                    *out += &format!("{separator}{} = ", key(name));
                    inline(out, value)?;
                }
                out.push('}');
            }
            None => out.push_str(&format::to_string(other)),
        },
    }
    Ok(())
}

/// A float shows that it is one.
fn number(value: f64) -> String {
    match float::special(value) {
        Some("NaN") => "nan".to_owned(),
        Some("-Inf") => "-inf".to_owned(),
        Some(_) => "inf".to_owned(),
        None => {
            let text = float::fixed(value, None);
            if text.contains('.') { text } else { format!("{text}.0") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::json::decode;

    #[test]
    fn tables_and_lists_of_tables() {
        let value = decode(r#"{"a b":"x\ty","n":null,"t":{"k":1,"u":{"v":[true]}},"l":[{"x":1},{"x":2}],"z":{}}"#).unwrap();
        let want = "\"a b\" = \"x\\ty\"\n\n[[l]]\n  x = 1.0\n\n[[l]]\n  x = 2.0\n\n[t]\n  k = 1.0\n  [t.u]\n    v = [true]\n\n[z]";
        assert_eq!(encode(&value).unwrap(), want);
        assert!(encode(&Value::Nil).is_err());
    }
}

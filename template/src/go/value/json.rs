//! JSON as values: whole numbers stay whole.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Key, ListType, Value};

/// What a JSON document is to a template.
pub(crate) fn of_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::int(value),
            (None, Some(value)) => Value::uint64(value),
            (None, None) => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text),
        Json::Array(items) => {
            let all_texts = !items.is_empty() && items.iter().all(Json::is_string);
            Value::list(if all_texts { ListType::Strings } else { ListType::Any }, items.iter().map(of_json).collect())
        }
        Json::Object(entries) => {
            let entries: BTreeMap<Key, Value> = entries.iter().map(|(key, value)| (Key::from(key.as_str()), of_json(value))).collect();
            Value::any_map(entries)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::go::render_value;

    #[test]
    fn one_value_is_the_dot() {
        let job = json!({
            "ID": "web", "Priority": 50, "Stop": false, "Index": 18_446_744_073_709_551_615_u64, "Share": 0.5, "Meta": null,
            "TaskGroups": [{ "Name": "a", "Count": 3 }, { "Name": "b", "Count": 1 }], "Datacenters": ["dc1", "dc2"],
        });
        for (template, expected) in [
            ("{{.ID}}: {{.Priority}} {{.Stop}} {{.Index}} {{.Share}}", "web: 50 false 18446744073709551615 0.5"),
            ("{{range .TaskGroups}}{{.Name}}={{.Count}}{{\"\\n\"}}{{end}}", "a=3\nb=1\n"),
            ("{{join \",\" .Datacenters}} {{len .TaskGroups}} {{$.ID | toUpper}}", "dc1,dc2 2 WEB"),
            ("{{with .Meta}}some{{else}}none{{end}}{{if eq .Priority 50}}!{{end}}", "none!"),
            ("{{(index .TaskGroups 1).Name}} {{.Datacenters | toJSON}}", "b [\"dc1\",\"dc2\"]"),
        ] {
            assert_eq!(render_value(template, &job, 0).as_deref(), Ok(expected), "{template}");
        }
        for (template, expected) in [
            ("{{.Id}}", "no entry for key"),
            ("{{", "parse: template"),
            ("{{key \"secret\"}}", "asks for"),
            ("{{file \"/etc/hostname\"}}", ""),
            ("{{plugin \"ls\"}}", "disabled"),
        ] {
            let error = render_value(template, &job, 0).unwrap_err();
            assert!(error.text.contains(expected), "{template}: {error}");
        }
    }
}

//! The task's `config` block.

use serde_json::Value;

use crate::drivers::DriverError;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) command: String,
    pub(super) args: Vec<String>,
    pub(super) work_dir: String,
    pub(super) oom_score_adj: Option<i64>,
    pub(super) denied_envvars: Vec<String>,
}

impl Config {
    pub(super) fn read(block: &serde_json::Map<String, Value>) -> Result<Self, DriverError> {
        let mut config = Self::default();
        for (key, value) in block {
            match key.as_str() {
                "command" => config.command = text(key, value)?,
                "args" => config.args = texts(key, value)?,
                "work_dir" => config.work_dir = text(key, value)?,
                "oom_score_adj" => config.oom_score_adj = Some(number(key, value)?),
                "denied_envvars" => config.denied_envvars = texts(key, value)?,
                "cgroup_v1_override" | "cgroup_v2_override" => {}
                _ => return Err(DriverError::permanent(format!("raw_exec has no setting {key:?}"))),
            }
        }
        if config.command.is_empty() {
            return Err(DriverError::permanent("the raw_exec driver needs a \"command\""));
        }
        if !config.work_dir.is_empty() && !config.work_dir.starts_with('/') {
            return Err(DriverError::permanent(format!("work_dir must be an absolute path, got {:?}", config.work_dir)));
        }
        Ok(config)
    }
}

fn text(key: &str, value: &Value) -> Result<String, DriverError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => Err(DriverError::permanent(format!("raw_exec's {key:?} must be a string"))),
    }
}

fn texts(key: &str, value: &Value) -> Result<Vec<String>, DriverError> {
    match value {
        Value::Array(items) => items.iter().map(|item| text(key, item)).collect(),
        Value::Null => Ok(Vec::new()),
        _ => Err(DriverError::permanent(format!("raw_exec's {key:?} must be a list of strings"))),
    }
}

fn number(key: &str, value: &Value) -> Result<i64, DriverError> {
    let parsed = value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    parsed.ok_or_else(|| DriverError::permanent(format!("raw_exec's {key:?} must be a whole number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_what_is_said_of_bad_ones() {
        let read = |json: &str| Config::read(serde_json::from_str::<Value>(json).unwrap().as_object().unwrap());
        let good = read(r#"{"command": "a", "args": ["x", 1, true], "oom_score_adj": 5}"#).unwrap();
        let args = vec!["x".to_owned(), "1".to_owned(), "true".to_owned()];
        assert_eq!(good, Config { command: "a".to_owned(), args, oom_score_adj: Some(5), ..Config::default() });
        for (name, block, want) in [
            ("nothing", "{}", "the raw_exec driver needs a \"command\""),
            ("typo", r#"{"comand": "a"}"#, "raw_exec has no setting \"comand\""),
            ("args as text", r#"{"command": "a", "args": "x"}"#, "raw_exec's \"args\" must be a list of strings"),
            ("relative folder", r#"{"command": "a", "work_dir": "x"}"#, "work_dir must be an absolute path, got \"x\""),
        ] {
            assert_eq!(read(block).unwrap_err().text, want, "{name}");
        }
    }
}

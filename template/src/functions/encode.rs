//! Values to text.

use crate::go::function::{Function, Type};

use super::json::{self, Style};
use super::{string, toml, yaml};

const ANY: Type = Type::Any;
const PRETTY: Option<&str> = Some("  ");

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("toJSON", &[ANY], |_, arguments| Ok(string(json::encode(&arguments[0], Style { indent: None, escape_html: true })?))),
    Function::new("toJSONPretty", &[ANY], |_, arguments| {
        Ok(string(json::encode(&arguments[0], Style { indent: PRETTY, escape_html: true })?))
    }),
    Function::new("toUnescapedJSON", &[ANY], |_, arguments| {
        Ok(string(json::encode(&arguments[0], Style { indent: None, escape_html: false })?))
    }),
    Function::new("toUnescapedJSONPretty", &[ANY], |_, arguments| {
        Ok(string(json::encode(&arguments[0], Style { indent: PRETTY, escape_html: false })?))
    }),
    Function::new("toYAML", &[ANY], |_, arguments| Ok(string(yaml::encode(&arguments[0])?))),
    Function::new("toTOML", &[ANY], |_, arguments| Ok(string(toml::encode(&arguments[0])?))),
];

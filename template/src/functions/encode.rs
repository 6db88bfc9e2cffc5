//! Values to text.

use crate::go::function::{Answer, Fault, Function, Type};

use super::json::{self, Style};
use super::{string, toml, yaml};

const ANY: Type = Type::Any;
const PRETTY: Option<&str> = Some("  ");

const ESCAPED: Style<'static> = Style { indent: None, escape_html: true };
const PLAIN: Style<'static> = Style { indent: None, escape_html: false };

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("toJSON", &[ANY], |_, arguments| answer("toJSON", json::encode(&arguments[0], ESCAPED))),
    Function::new("toJSONPretty", &[ANY], |_, arguments| {
        answer("toJSONPretty", json::encode(&arguments[0], Style { indent: PRETTY, ..ESCAPED }))
    }),
    Function::new("toUnescapedJSON", &[ANY], |_, arguments| answer("toUnescapedJSON", json::encode(&arguments[0], PLAIN))),
    Function::new("toUnescapedJSONPretty", &[ANY], |_, arguments| {
        answer("toUnescapedJSONPretty", json::encode(&arguments[0], Style { indent: PRETTY, ..PLAIN }))
    }),
    Function::new("toYAML", &[ANY], |_, arguments| answer("toYAML", yaml::encode(&arguments[0]))),
    Function::new("toTOML", &[ANY], |_, arguments| answer("toTOML", toml::encode(&arguments[0]))),
];

/// Errors name the function once more: that is how they are known.
fn answer(name: &str, encoded: Result<String, Fault>) -> Answer {
    encoded.map(string).map_err(|fault| match fault {
        Fault::Message(text) => Fault::Message(format!("{name}: {text}")),
        limit @ Fault::Limit(_) => limit,
    })
}

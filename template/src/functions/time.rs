//! Time.

use crate::go::function::{Function, Type, text};

use super::string;

mod layout;
mod read;

pub(super) use layout::format;
pub(super) use read::parse;

pub(super) const FUNCTIONS: &[Function] = &[Function::many("timestamp", &[], Type::Str, |context, arguments| {
    let now = context.pass.now;
    match arguments {
        [] => Ok(string(format("2006-01-02T15:04:05Z07:00", now))),
        [layout] => match &*text(layout) {
            "unix" => Ok(string(now.as_second().to_string())),
            layout => Ok(string(format(layout, now))),
        },
        other => Err(format!("timestamp: wrong number of arguments, expected 0 or 1, but got {}", other.len()).into()),
    }
})];

//! Functions that ask the machine. Operators allow `plugin` by taking it off the list of denied functions.

use crate::go::context::Context;
use crate::go::function::{Answer, Fault, Function, Type, text};
use crate::go::value::Value;

use super::{sockaddr, string};

const STR: Type = Type::Str;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::many("plugin", &[STR], STR, plugin),
    Function::many("sockaddr", &[], STR, |context, arguments| {
        let words: Vec<String> = arguments.iter().map(|argument| text(argument).into_owned()).collect();
        sockaddr::evaluate(context, &words.join(" "))
    }),
];

/// The output of a program, without blanks around it.
fn plugin(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let Some(host) = context.pass.host else { return Err(super::DISABLED_TEXT.into()) };
    let Some((program, rest)) = arguments.split_first() else { return Ok(Value::from("")) };
    let rest: Vec<String> = rest.iter().map(|argument| text(argument).into_owned()).collect();
    let output = host.run(&text(program), &rest).map_err(Fault::Message)?;
    Ok(string(String::from_utf8_lossy(&output).trim()))
}

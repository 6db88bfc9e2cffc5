//! `sockaddr "GetPrivateIP"`: expressions over the machine's addresses. They are templates themselves, with functions of their own.

mod address;
mod filter;

use crate::engine::Compiled;
use crate::go::context::Context;
use crate::go::function::{Answer, Fault, Function, Type};
use crate::go::parse::{self, Functions};
use crate::go::quote::quote;
use crate::go::value::Value;
use crate::go::{Tree, builtins::BUILTINS};

use address::Address;

const ANY: Type = Type::Any;
const INT: Type = Type::Int;
const STR: Type = Type::Str;

/// Where an expression begins, and what it may do with what it got.
const FUNCTIONS: &[Function] = &[
    Function::new("GetAllInterfaces", &[], |context, _| Ok(address::list(all(context)?))),
    Function::new("GetDefaultInterfaces", &[], |context, _| Ok(address::list(kept(context, |one| one.is_default)?))),
    Function::new("GetPrivateInterfaces", &[], |context, _| Ok(address::list(kept(context, Address::is_private)?))),
    Function::new("GetPublicInterfaces", &[], |context, _| Ok(address::list(kept(context, Address::is_public)?))),
    Function::new("GetPrivateIP", &[], |context, _| Ok(first(kept(context, Address::is_private)?))),
    Function::new("GetPrivateIPs", &[], |context, _| Ok(joined(kept(context, Address::is_private)?))),
    Function::new("GetPublicIP", &[], |context, _| Ok(first(kept(context, Address::is_public)?))),
    Function::new("GetPublicIPs", &[], |context, _| Ok(joined(kept(context, Address::is_public)?))),
    Function::new("GetInterfaceIP", &[STR], |context, arguments| Ok(first(named(context, arguments)?))),
    Function::new("GetInterfaceIPs", &[STR], |context, arguments| Ok(joined(named(context, arguments)?))),
    Function::new("include", &[STR, STR, ANY], |_, arguments| filter::chosen(arguments, true)),
    Function::new("exclude", &[STR, STR, ANY], |_, arguments| filter::chosen(arguments, false)),
    Function::new("sort", &[STR, ANY], |_, arguments| filter::sorted(arguments)),
    Function::new("unique", &[STR, ANY], |_, arguments| filter::unique(arguments)),
    Function::new("limit", &[INT, ANY], |_, arguments| filter::limit(arguments)),
    Function::new("offset", &[INT, ANY], |_, arguments| filter::offset(arguments)),
    Function::new("attr", &[STR, ANY], |_, arguments| filter::attribute(arguments)),
    Function::new("join", &[STR, STR, ANY], |_, arguments| filter::join(arguments)),
];

/// The functions of expressions.
struct Library;

impl Functions for Library {
    fn find(&self, name: &str) -> Option<&'static Function> {
        FUNCTIONS.iter().chain(BUILTINS).find(|function| function.name == name)
    }
}

pub(super) fn evaluate(context: &mut Context<'_>, expression: &str) -> Answer {
    let source = format!("{{{{ {expression} }}}}");
    let templates = parse::parse(&source, "{{", "}}", &Library).map_err(|error| {
        let shown = quote(source.as_bytes());
        Fault::Message(format!("unable to parse template {shown}: template: sockaddr.Parse:{}: {}", error.line, error.text))
    })?;
    let tree = Tree { source, templates, error_on_missing_key: false };
    let outcome = tree.render(context.pass).map_err(|error| {
        let reason = error.text.rsplit_once(">: ").map_or(error.text.as_str(), |(_, reason)| reason);
        Fault::Message(format!("unable to execute sockaddr input {}: {reason}", quote(tree.source.as_bytes())))
    })?;
    Ok(Value::from(outcome.text.unwrap_or_default()))
}

fn all(context: &Context<'_>) -> Result<Vec<Address>, Fault> {
    let Some(host) = context.pass.host else { return Err(super::DISABLED_TEXT.into()) };
    Ok(host.interfaces())
}

/// Those of interfaces that are up, the one with the default route first.
fn kept(context: &Context<'_>, accept: impl Fn(&Address) -> bool) -> Result<Vec<Address>, Fault> {
    let mut found: Vec<Address> = all(context)?.into_iter().filter(|one| one.is_up && accept(one)).collect();
    found.sort_by_key(|one| (!one.is_default, one.address.is_ipv6(), std::cmp::Reverse(one.prefix)));
    Ok(found)
}

fn named(context: &Context<'_>, arguments: &[Value]) -> Result<Vec<Address>, Fault> {
    let name = crate::go::function::text(&arguments[0]);
    Ok(all(context)?.into_iter().filter(|one| one.name == *name).collect())
}

fn first(addresses: Vec<Address>) -> Value {
    addresses.first().map_or_else(|| Value::from(""), |one| Value::from(one.address.to_string()))
}

fn joined(addresses: Vec<Address>) -> Value {
    addresses.iter().map(|one| one.address.to_string()).collect::<Vec<_>>().join(" ").into()
}

#[cfg(test)]
mod tests;

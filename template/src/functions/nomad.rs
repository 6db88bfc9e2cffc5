//! Functions over the orchestrator's own variables and services.

use crate::data::Data;
use crate::dependency::{Dependency, nomad_service, nomad_variable, nomad_variable_list};
use crate::go::context::Context;
use crate::go::function::{Answer, Fault, Function, Type, text};
use crate::go::value::{ListType, Value};

use super::convert;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("nomadVar", &[Type::Str], variable),
    Function::new("nomadVarExists", &[Type::Str], variable_exists),
    Function::many("nomadVarList", &[], Type::Str, |context, arguments| variables(context, arguments, false)),
    Function::many("nomadVarListSafe", &[], Type::Str, |context, arguments| variables(context, arguments, true)),
    Function::many("nomadService", &[], Type::Any, service),
    Function::many("nomadServices", &[], Type::Str, services),
];

/// Waits until the variable exists.
fn variable(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let path = text(&arguments[0]);
    if path.is_empty() {
        return Ok(Value::Nil);
    }
    let dependency = nomad_variable(&path)?;
    match context.lookup(dependency.clone())?.as_deref() {
        Some(Data::Variable(Some(variable))) => Ok(convert::variable(variable)),
        Some(_) => {
            context.wait_for(dependency);
            Ok(Value::Nil)
        }
        None => Ok(Value::Nil),
    }
}

fn variable_exists(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let path = text(&arguments[0]);
    if path.is_empty() {
        return Ok(false.into());
    }
    let data = context.lookup(nomad_variable(&path)?)?;
    Ok(matches!(data.as_deref(), Some(Data::Variable(Some(_)))).into())
}

fn variables(context: &mut Context<'_>, arguments: &[Value], waits: bool) -> Answer {
    if arguments.len() > 1 {
        return Err(format!("wrong number of arguments, expected 0 or 1, but got {}", arguments.len()).into());
    }
    let prefix = arguments.first().map(text).unwrap_or_default();
    let dependency = nomad_variable_list(&prefix)?;
    let items = match context.lookup(dependency.clone())?.as_deref() {
        Some(Data::Variables(found)) => {
            if found.is_empty() && waits {
                context.wait_for(dependency);
            }
            found.iter().map(convert::variable_metadata).collect()
        }
        _ => Vec::new(),
    };
    Ok(Value::list(ListType::Of("[]*dependency.NomadVarMeta"), items))
}

/// `"name"`, or `COUNT "KEY" "name"` for a stable choice.
fn service(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let dependency = match arguments {
        [Value::Str(name)] => nomad_service(&name.to_str(), None)?,
        [count @ (Value::Int(..) | Value::Float(_)), Value::Str(key), Value::Str(name)] => {
            let count = match count {
                Value::Int(count, _) => u32::try_from(*count).ok(),
                _ => None,
            };
            let count = count.ok_or_else(|| Fault::from("expected a positive count"))?;
            nomad_service(&name.to_str(), Some((count, key.to_str().into_owned())))?
        }
        _ => return Err("expected arguments <service> or <count> <key> <service>".into()),
    };
    let items = match context.lookup(dependency)?.as_deref() {
        Some(Data::NomadService(found)) => found.iter().map(convert::nomad_service).collect(),
        _ => Vec::new(),
    };
    Ok(Value::list(ListType::Of("[]*dependency.NomadService"), items))
}

fn services(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let query = arguments.iter().map(text).collect::<Vec<_>>().concat();
    let region = match query.strip_prefix('@') {
        Some(region) => Some(region.to_owned()),
        None if query.is_empty() => None,
        None => return Err(format!("nomad.services: invalid format: {query:?}").into()),
    };
    let data = context.lookup(Dependency::NomadServices { region })?;
    Ok(convert::service_names("[]*dependency.NomadServicesSnippet", "*dependency.NomadServicesSnippet", data.as_deref()))
}

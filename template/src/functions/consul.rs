//! Functions over the key-value store and the catalogue.

use crate::data::{Data, KeyPair};
use crate::dependency::{Dependency, Scope, kv_path, node_name, partition_scope, plain_scope, service_query};
use crate::go::context::Context;
use crate::go::function::{Answer, Fault, Function, KEY_PAIRS, Type, text, texts};
use crate::go::object::record;
use crate::go::value::{ListType, Value};

use super::convert;

const STR: Type = Type::Str;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("key", &[STR], key),
    Function::new("keyExists", &[STR], key_exists),
    Function::new("keyOrDefault", &[STR, STR], key_or_default),
    Function::new("ls", &[STR], |context, arguments| list(context, &text(&arguments[0]), is_child, false)),
    Function::new("safeLs", &[STR], |context, arguments| list(context, &text(&arguments[0]), is_child, true)),
    Function::new("tree", &[STR], |context, arguments| list(context, &text(&arguments[0]), is_leaf, false)),
    Function::new("safeTree", &[STR], |context, arguments| list(context, &text(&arguments[0]), is_leaf, true)),
    Function::many("service", &[], STR, |context, arguments| service(context, arguments, false)),
    Function::many("connect", &[], STR, |context, arguments| service(context, arguments, true)),
    Function::many("services", &[], STR, services),
    Function::many("nodes", &[], STR, nodes),
    Function::many("node", &[], STR, node),
    Function::many("datacenters", &[], Type::Bool, datacenters),
    Function::new("caRoots", &[], ca_roots),
    Function::many("caLeaf", &[], STR, ca_leaf),
    Function::new("partitions", &[], partitions),
    Function::many("peerings", &[], STR, peerings),
    Function::many("exportedServices", &[], STR, exported_services),
    Function::many("importedServices", &[], STR, imported_services),
];

fn key_dependency(what: &str, path: &str) -> Result<Dependency, Fault> {
    let (key, scope) = kv_path(what, path)?;
    Ok(Dependency::KvGet { key, scope })
}

/// Waits until the key exists.
fn key(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let path = text(&arguments[0]);
    if path.is_empty() {
        return Ok(Value::from(""));
    }
    let dependency = key_dependency("kv.get", &path)?;
    match context.lookup(dependency.clone())?.as_deref() {
        Some(Data::Key(Some(value))) => Ok(Value::from(value.clone())),
        Some(_) => {
            context.wait_for(dependency);
            Ok(Value::from(""))
        }
        None => Ok(Value::from("")),
    }
}

fn key_exists(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let path = text(&arguments[0]);
    if path.is_empty() {
        return Ok(false.into());
    }
    let data = context.lookup(key_dependency("kv.exists", &path)?)?;
    Ok(matches!(data.as_deref(), Some(Data::Key(Some(_)))).into())
}

/// The default also stands in for an empty value.
fn key_or_default(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let path = text(&arguments[0]);
    let default = arguments[1].clone();
    if path.is_empty() {
        return Ok(default);
    }
    match context.lookup(key_dependency("kv.get", &path)?)?.as_deref() {
        Some(Data::Key(Some(value))) if !value.is_empty() => Ok(Value::from(value.clone())),
        _ => Ok(default),
    }
}

/// A key without a deeper level.
fn is_child(key: &str) -> bool {
    !key.is_empty() && !key.contains('/')
}

/// A key that is not just the name of a level.
fn is_leaf(key: &str) -> bool {
    !key.is_empty() && !key.ends_with('/')
}

fn list(context: &mut Context<'_>, path: &str, accept: fn(&str) -> bool, waits: bool) -> Answer {
    let mut pairs = Vec::new();
    if path.is_empty() {
        return Ok(Value::list(ListType::Of(KEY_PAIRS), pairs));
    }
    let (prefix, scope) = kv_path("kv.list", path)?;
    let dependency = Dependency::KvList { prefix: prefix.clone(), scope };
    let data = context.lookup(dependency.clone())?;
    if let Some(Data::Keys(found)) = data.as_deref() {
        pairs = found.iter().filter_map(|pair| below(&prefix, pair, accept)).collect();
        if pairs.is_empty() && waits {
            context.wait_for(dependency);
        }
    }
    Ok(Value::list(ListType::Of(KEY_PAIRS), pairs))
}

/// The prefix is cut off as text, a slash after it as well.
fn below(prefix: &str, pair: &KeyPair, accept: fn(&str) -> bool) -> Option<Value> {
    let rest = pair.path.strip_prefix(prefix)?;
    let key = rest.strip_prefix('/').unwrap_or(rest);
    accept(key).then(|| convert::key_pair(key, pair))
}

fn service(context: &mut Context<'_>, arguments: &[Value], connect: bool) -> Answer {
    let none = || Value::list(ListType::Of(convert::HEALTH_SERVICES), Vec::new());
    if arguments.is_empty() || text(&arguments[0]).is_empty() {
        return Ok(none());
    }
    let query = arguments.iter().map(text).collect::<Vec<_>>().join("|");
    match context.lookup(service_query(&query, connect)?)?.as_deref() {
        Some(Data::Service(found)) => {
            Ok(Value::list(ListType::Of(convert::HEALTH_SERVICES), found.iter().map(convert::health_service).collect()))
        }
        _ => Ok(none()),
    }
}

fn joined(arguments: &[Value]) -> String {
    texts(&Value::any_list(arguments.to_vec())).concat()
}

fn services(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let scope = plain_scope("catalog.services", &joined(arguments))?;
    let data = context.lookup(Dependency::Services { scope })?;
    Ok(convert::service_names("[]*dependency.CatalogSnippet", "*dependency.CatalogSnippet", data.as_deref()))
}

fn nodes(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let scope = plain_scope("catalog.nodes", &joined(arguments))?;
    let items = match context.lookup(Dependency::Nodes { scope })?.as_deref() {
        Some(Data::Nodes(found)) => found.iter().map(convert::node).collect(),
        _ => Vec::new(),
    };
    Ok(Value::list(ListType::Of("[]*dependency.Node"), items))
}

fn node(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (name, scope) = match joined(arguments) {
        empty if empty.is_empty() => (None, Scope::default()),
        query => {
            let (name, scope) = node_name(&query)?;
            (Some(name), scope)
        }
    };
    let detail = match context.lookup(Dependency::Node { name, scope })?.as_deref() {
        Some(Data::Node(Some(detail))) => detail.clone(),
        _ => {
            return Ok(record(
                "*dependency.CatalogNode",
                vec![
                    ("Node", Value::NilPointer("*dependency.Node")),
                    ("Services", Value::list(ListType::Of("[]*dependency.CatalogNodeService"), Vec::new())),
                ],
            ));
        }
    };
    Ok(convert::node_detail(&detail))
}

fn datacenters(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    if arguments.len() > 1 {
        return Err(format!("datacenters: wrong number of arguments, expected 0 or 1, but got {}", arguments.len()).into());
    }
    let ignore_failing = matches!(arguments.first(), Some(Value::Bool(true)));
    match context.lookup(Dependency::Datacenters { ignore_failing })?.as_deref() {
        Some(Data::Names(names)) => Ok(Value::strings(names)),
        _ => Ok(Value::strings(Vec::<String>::new())),
    }
}

fn ca_roots(context: &mut Context<'_>, _: &[Value]) -> Answer {
    let items = match context.lookup(Dependency::CaRoots)?.as_deref() {
        Some(Data::CaRoots(roots)) => roots.iter().map(convert::ca_root).collect(),
        _ => Vec::new(),
    };
    Ok(Value::list(ListType::Of("[]*api.CARoot"), items))
}

fn ca_leaf(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let [service] = arguments else {
        return Err("caLeaf: expected exactly one service name".into());
    };
    let dependency = Dependency::CaLeaf { service: text(service).into_owned() };
    match context.lookup(dependency)?.as_deref() {
        Some(Data::CaLeaf(leaf)) => Ok(convert::ca_leaf(leaf)),
        _ => Ok(Value::NilPointer("*api.LeafCert")),
    }
}

fn partitions(context: &mut Context<'_>, _: &[Value]) -> Answer {
    let items = match context.lookup(Dependency::Partitions)?.as_deref() {
        Some(Data::Partitions(found)) => found.iter().map(convert::partition).collect(),
        _ => Vec::new(),
    };
    Ok(Value::list(ListType::Of("[]*dependency.Partition"), items))
}

fn peerings(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let scope = partition_scope("list.peerings", &joined(arguments))?;
    let items = match context.lookup(Dependency::Peerings { scope })?.as_deref() {
        Some(Data::Peerings(found)) => found.iter().map(convert::peering).collect(),
        _ => Vec::new(),
    };
    Ok(Value::list(ListType::Of("[]*dependency.Peering"), items))
}

fn exported_services(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let scope = partition_scope("list.exported-services", &joined(arguments))?;
    let items = match context.lookup(Dependency::ExportedServices { scope })?.as_deref() {
        Some(Data::ExportedServices(found)) => found.iter().map(convert::exported_service).collect(),
        _ => Vec::new(),
    };
    Ok(Value::list(ListType::Of("[]dependency.ExportedService"), items))
}

fn imported_services(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let scope = partition_scope("list.imported-services", &joined(arguments))?;
    let items = match context.lookup(Dependency::ImportedServices { scope })?.as_deref() {
        Some(Data::ImportedServices(found)) => found.iter().map(convert::imported_service).collect(),
        _ => Vec::new(),
    };
    Ok(Value::list(ListType::Of("[]dependency.ImportedService"), items))
}

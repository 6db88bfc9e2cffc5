//! Functions over secrets.

use crate::data::Data;
use crate::dependency::{Dependency, QueryError, pairs, secret_path};
use crate::go::context::Context;
use crate::go::function::{Answer, Function, Type, text};
use crate::go::value::Value;

use super::convert;

const STR: Type = Type::Str;

pub(super) const FUNCTIONS: &[Function] =
    &[Function::many("secret", &[], STR, secret), Function::new("secrets", &[STR], secrets), Function::many("pkiCert", &[], STR, pki_cert)];

/// `secret "path"` reads, `secret "path" "k=v"…` writes.
fn secret(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let Some((path, rest)) = arguments.split_first() else { return Ok(Value::Nil) };
    let rest: Vec<String> = rest.iter().map(|argument| text(argument).into_owned()).collect();
    let dependency = if rest.is_empty() {
        let (path, version) = secret_path("vault.read", &text(path))?;
        Dependency::SecretRead { path, version }
    } else {
        let (path, _) = secret_path("vault.write", &text(path))?;
        Dependency::SecretWrite { path, data: pairs(&rest)? }
    };
    let writes = !rest.is_empty();
    match context.lookup(dependency.clone())?.as_deref() {
        Some(Data::Secret(Some(secret))) => Ok(convert::secret(secret)),
        // A write may well answer nothing; a read without a secret waits for one.
        Some(_) if !writes => {
            context.wait_for(dependency);
            Ok(Value::Nil)
        }
        _ => Ok(Value::Nil),
    }
}

fn secrets(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let path = text(&arguments[0]);
    if path.is_empty() {
        return Ok(Value::strings(Vec::<String>::new()));
    }
    let (path, _) = secret_path("vault.list", &path)?;
    match context.lookup(Dependency::SecretList { path })?.as_deref() {
        Some(Data::Names(names)) => Ok(Value::strings(names)),
        _ => Ok(Value::strings(Vec::<String>::new())),
    }
}

fn pki_cert(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let Some((path, rest)) = arguments.split_first() else { return Ok(Value::Nil) };
    let rest: Vec<String> = rest.iter().map(|argument| text(argument).into_owned()).collect();
    let data = pairs(&rest)?;
    let path = text(path).trim().trim_matches('/').to_owned();
    if path.is_empty() {
        return Err(QueryError("vault.pki: invalid format: \"\"".to_owned()).into());
    }
    match context.lookup(Dependency::PkiCert { path, data })?.as_deref() {
        Some(Data::Certificate(certificate)) => Ok(convert::certificate(certificate)),
        _ => Ok(Value::Nil),
    }
}

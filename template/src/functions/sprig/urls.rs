//! Addresses of the web.

use std::collections::BTreeMap;

use crate::go::context::Context;
use crate::go::function::{Answer, Function, Type, text};
use crate::go::value::{Key, Value};

use super::kinds::to_text;

pub(super) const FUNCTIONS: &[Function] =
    &[Function::new("sprig_urlParse", &[Type::Str], parse), Function::new("sprig_urlJoin", &[Type::AnyMap], join)];

fn parse(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let url = text(&arguments[0]);
    let (rest, fragment) = url.split_once('#').unwrap_or((&url, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let scheme_end = rest.find(':').filter(|end| {
        let scheme = &rest[..*end];
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    let (scheme, rest) = scheme_end.map_or(("", rest), |end| (&rest[..end], &rest[end + 1..]));
    let (mut authority, mut path, mut opaque) = ("", rest, "");
    if let Some(after) = rest.strip_prefix("//") {
        let end = after.find('/').unwrap_or(after.len());
        (authority, path) = after.split_at(end);
    } else if !scheme.is_empty() && !rest.starts_with('/') {
        (path, opaque) = ("", rest);
    }
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let hostname = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, _)) => inside,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let path = decoded(path).ok_or_else(|| format!("unable to parse url: parse {url:?}: invalid URL escape"))?;
    let fields = [
        ("scheme", scheme.to_ascii_lowercase()),
        ("host", host.to_owned()),
        ("hostname", hostname.to_owned()),
        ("path", path),
        ("query", query.to_owned()),
        ("opaque", opaque.to_owned()),
        ("fragment", decoded(fragment).unwrap_or_else(|| fragment.to_owned())),
        ("userinfo", user.to_owned()),
    ];
    let entries: BTreeMap<Key, Value> = fields.into_iter().map(|(name, value)| (Key::from(name), Value::from(value))).collect();
    Ok(Value::any_map(entries))
}

fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}

fn join(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let map = arguments[0].as_map();
    let part = |name: &str| {
        map.as_ref().and_then(|map| map.get(&name.into())).map(|value| to_text(&value).to_str().into_owned()).unwrap_or_default()
    };
    let (scheme, host, path, query, opaque) = (part("scheme"), part("host"), part("path"), part("query"), part("opaque"));
    let (user, fragment) = (part("userinfo"), part("fragment"));
    let mut url = String::new();
    if !scheme.is_empty() {
        url += &format!("{scheme}:");
    }
    if opaque.is_empty() {
        if !host.is_empty() || !user.is_empty() {
            let at = if user.is_empty() { "" } else { "@" };
            url += &format!("//{user}{at}{host}");
        }
        if !path.is_empty() && !path.starts_with('/') && !host.is_empty() {
            url.push('/');
        }
        url += &path;
    } else {
        url += &opaque;
    }
    if !query.is_empty() {
        url += &format!("?{query}");
    }
    if !fragment.is_empty() {
        url += &format!("#{fragment}");
    }
    Ok(url.into())
}

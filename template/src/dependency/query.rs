//! The little grammars of the arguments: `[tag.]name[?query][@dc][~near][|filters]` and the like.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{Dependency, Scope};

/// A malformed argument. The text is what a template author sees.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct QueryError(pub String);

const NEVER_FAILS: &str = "a literal pattern";
const QUERY: &str = r"(\?(?P<query>[[:word:]=:\-&,.]+))?";
const DATACENTER: &str = r"(@(?P<dc>[[:word:].\-]+))?";
const NEAR: &str = r"(~(?P<near>[[:word:].\-]+))?";
const HEALTH_STATES: [&str; 5] = ["any", "passing", "warning", "critical", "maintenance"];

#[expect(clippy::expect_used, reason = "literal patterns, compiled by the tests")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect(NEVER_FAILS)
}

fn invalid(what: &str, text: &str) -> QueryError {
    QueryError(format!("{what}: invalid format: {text:?}"))
}

/// `path[?query][@dc]` of `key`, `ls` and the like; `what` names the query in errors. A leading slash does not count.
pub(crate) fn kv_path(what: &str, text: &str) -> Result<(String, Scope), QueryError> {
    static KEY: LazyLock<Regex> = LazyLock::new(|| pattern(&format!(r"^/?(?P<path>[^@?]*){QUERY}{DATACENTER}$")));
    let captures = KEY.captures(text).ok_or_else(|| invalid(what, text))?;
    Ok((part(&captures, "path").unwrap_or_default(), scope(what, &captures, &["ns", "partition"])?))
}

/// The one text that `service "a" "b"` joins with `|`.
pub(crate) fn service_query(text: &str, connect: bool) -> Result<Dependency, QueryError> {
    static SERVICE: LazyLock<Regex> = LazyLock::new(|| {
        pattern(&format!(r"^((?P<tag>[[:word:]=:.\-]+)\.)?(?P<name>[[:word:]\-]+){QUERY}{DATACENTER}{NEAR}(\|(?P<filter>[[:word:],]+))?$"))
    });
    let what = if connect { "health.connect" } else { "health.service" };
    let captures = SERVICE.captures(text).ok_or_else(|| invalid(what, text))?;
    let filters = match part(&captures, "filter") {
        None => vec!["passing".to_owned()],
        Some(filter) => {
            let filters: Vec<String> = filter.split(',').map(|word| word.trim().to_lowercase()).collect();
            if let Some(bad) = filters.iter().find(|word| !HEALTH_STATES.contains(&word.as_str())) {
                return Err(QueryError(format!("{what}: invalid filter: {bad:?} in {text:?}")));
            }
            let mut filters = filters;
            filters.sort();
            filters.dedup();
            filters
        }
    };
    Ok(Dependency::Service {
        name: part(&captures, "name").unwrap_or_default(),
        tag: part(&captures, "tag"),
        filters,
        scope: scope(what, &captures, &["ns", "peer", "partition", "sameness-group"])?,
        connect,
    })
}

/// `[?query][@dc][~near]` alone, of `services` and `nodes`.
pub(crate) fn plain_scope(what: &str, text: &str) -> Result<Scope, QueryError> {
    static PLAIN: LazyLock<Regex> = LazyLock::new(|| pattern(&format!(r"^{QUERY}{DATACENTER}{NEAR}$")));
    let captures = PLAIN.captures(text).ok_or_else(|| invalid(what, text))?;
    scope(what, &captures, &["ns", "partition", "peer"])
}

/// `NAME` or `?partition=NAME` of `peerings`, `exportedServices` and `importedServices`; nothing: the task's own partition.
pub(crate) fn partition_scope(what: &str, text: &str) -> Result<Scope, QueryError> {
    static PARTITION: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(\?partition=)?(?P<name>[[:word:].\-]+)$"));
    if text.is_empty() {
        return Ok(Scope::default());
    }
    let captures = PARTITION.captures(text).ok_or_else(|| invalid(what, text))?;
    Ok(Scope { partition: part(&captures, "name"), ..Scope::default() })
}

/// `name[?query][@dc]` of `node`.
pub(crate) fn node_name(text: &str) -> Result<(String, Scope), QueryError> {
    static NODE: LazyLock<Regex> = LazyLock::new(|| pattern(&format!(r"^(?P<name>[[:word:].\-]+){QUERY}{DATACENTER}$")));
    let captures = NODE.captures(text).ok_or_else(|| invalid("catalog.node", text))?;
    Ok((part(&captures, "name").unwrap_or_default(), scope("catalog.node", &captures, &["partition"])?))
}

/// A path in Vault: slashes around it do not count, `?version=N` selects one version.
pub(crate) fn secret_path(what: &str, text: &str) -> Result<(String, Option<String>), QueryError> {
    let text = text.trim().trim_matches('/');
    if text.is_empty() {
        return Err(invalid(what, text));
    }
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let version = query.split('&').find_map(|pair| pair.strip_prefix("version=")).map(str::to_owned);
    Ok((path.trim_end_matches('/').to_owned(), version))
}

/// `"k=v"` arguments: cut at the first `=`, trimmed, empty ones skipped.
pub(crate) fn pairs(arguments: &[String]) -> Result<BTreeMap<String, String>, QueryError> {
    let mut data = BTreeMap::new();
    for argument in arguments.iter().filter(|argument| !argument.is_empty()) {
        let (key, value) = argument.split_once('=').ok_or_else(|| QueryError(format!("not k=v pair {argument:?}")))?;
        data.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    Ok(data)
}

/// `path[@ns[.region]]` of `nomadVar`.
pub(crate) fn nomad_variable(text: &str) -> Result<Dependency, QueryError> {
    static VARIABLE: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"^/?(?P<path>[[:word:]~\-][[:word:]~/\-]*)(@(?P<ns>[[:alnum:]\-]+)(\.(?P<region>[[:word:]\-]+))?)?$"));
    let captures = VARIABLE.captures(text).ok_or_else(|| invalid("nomad.var.block", text))?;
    Ok(Dependency::NomadVar {
        path: part(&captures, "path").unwrap_or_default(),
        namespace: part(&captures, "ns"),
        region: part(&captures, "region"),
    })
}

/// `prefix[@ns|@*][.region]` of `nomadVarList`.
pub(crate) fn nomad_variable_list(text: &str) -> Result<Dependency, QueryError> {
    static LIST: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"^/?(?P<prefix>[[:word:]~/\-]*)(@(?P<ns>[[:alnum:]\-]+|\*)(\.(?P<region>[[:word:]\-]+))?)?$"));
    let captures = LIST.captures(text).ok_or_else(|| invalid("nomad.var.list", text))?;
    Ok(Dependency::NomadVarList {
        prefix: part(&captures, "prefix").unwrap_or_default(),
        namespace: part(&captures, "ns"),
        region: part(&captures, "region"),
    })
}

/// `[tag.]name[@region]` of `nomadService`.
pub(crate) fn nomad_service(text: &str, choose: Option<(u32, String)>) -> Result<Dependency, QueryError> {
    static SERVICE: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"^((?P<tag>[[:word:]=:.\-]+)\.)?(?P<name>[[:word:]\-]+)(@(?P<region>[[:word:].\-]+))?$"));
    let captures = SERVICE.captures(text).ok_or_else(|| invalid("nomad.service", text))?;
    Ok(Dependency::NomadService {
        name: part(&captures, "name").unwrap_or_default(),
        tag: part(&captures, "tag"),
        region: part(&captures, "region"),
        choose,
    })
}

fn part(captures: &Captures<'_>, name: &str) -> Option<String> {
    captures.name(name).map(|found| found.as_str().to_owned()).filter(|text| !text.is_empty())
}

fn scope(what: &str, captures: &Captures<'_>, allowed: &[&str]) -> Result<Scope, QueryError> {
    let mut scope = Scope { datacenter: part(captures, "dc"), near: part(captures, "near"), ..Scope::default() };
    let Some(query) = part(captures, "query") else { return Ok(scope) };
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !allowed.contains(&key) {
            return Err(QueryError(format!(
                "{what}: invalid query parameter key {key:?} in query {query:?}: supported keys: {}",
                allowed.join(",")
            )));
        }
        let slot = match key {
            "ns" => &mut scope.namespace,
            "partition" => &mut scope.partition,
            "peer" => &mut scope.peer,
            _ => &mut scope.sameness_group,
        };
        *slot = Some(value.to_owned());
    }
    Ok(scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_queries() {
        for (text, want) in [
            ("web", "health.service(web|passing)"),
            ("v1.web", "health.service(v1.web|passing)"),
            ("a.b.web@dc1", "health.service(a.b.web@dc1|passing)"),
            ("web~_agent|any", "health.service(web~_agent|any)"),
            ("web?ns=n&peer=p@dc|warning,passing", "health.service(web?ns=n&peer=p@dc|passing,warning)"),
        ] {
            assert_eq!(service_query(text, false).unwrap().to_string(), want);
        }
        for (text, want) in [
            ("bad name!", r#"health.service: invalid format: "bad name!""#),
            ("web|bogus", r#"health.service: invalid filter: "bogus" in "web|bogus""#),
            (
                "web?bogus=1",
                r#"health.service: invalid query parameter key "bogus" in query "bogus=1": supported keys: ns,peer,partition,sameness-group"#,
            ),
        ] {
            assert_eq!(service_query(text, false).unwrap_err().0, want);
        }
    }

    #[test]
    fn key_paths() {
        assert_eq!(kv_path("kv.get", "/a/b@dc1").unwrap().0, "a/b");
        assert_eq!(kv_path("kv.get", "").unwrap().0, "");
        assert_eq!(kv_path("kv.get", "a@b@c").unwrap_err().0, r#"kv.get: invalid format: "a@b@c""#);
    }

    #[test]
    fn partitions() {
        for (text, want) in [("", None), ("east", Some("east")), ("?partition=east", Some("east"))] {
            assert_eq!(partition_scope("list.peerings", text).unwrap().partition.as_deref(), want, "{text}");
        }
        for text in ["?ns=a", "a b", "?partition="] {
            assert_eq!(partition_scope("list.peerings", text).unwrap_err().0, format!("list.peerings: invalid format: {text:?}"));
        }
    }

    #[test]
    fn variables_and_pairs() {
        assert_eq!(nomad_variable("tv/app@default.global").unwrap().to_string(), "nomad.var.block(tv/app@default.global)");
        assert!(nomad_service("a b", None).is_err());
        assert_eq!(pairs(&[" a = b=c ".into(), String::new()]).unwrap(), BTreeMap::from([("a".into(), "b=c".into())]));
        assert_eq!(pairs(&["x".into()]).unwrap_err().0, r#"not k=v pair "x""#);
    }
}

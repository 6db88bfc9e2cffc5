//! What is done with a list of addresses.

use std::cmp::Ordering;

use crate::functions::pattern;
use crate::functions::string;
use crate::go::function::{Answer, Fault, integer, text};
use crate::go::value::Value;

use super::address::{Address, contains, given, list};

/// `include "type" "IPv4"` and its opposite.
pub(super) fn chosen(arguments: &[Value], wanted: bool) -> Answer {
    let (field, value) = (text(&arguments[0]).to_lowercase(), text(&arguments[1]));
    let mut kept = Vec::new();
    for one in given(&arguments[2])? {
        if matches(&one, &field, &value)? == wanted {
            kept.push(one);
        }
    }
    Ok(list(kept))
}

fn matches(one: &Address, field: &str, value: &str) -> Result<bool, Fault> {
    let any = |accept: &dyn Fn(&str) -> bool| value.split('|').any(|word| accept(word.trim()));
    Ok(match field {
        "address" => pattern::compile(value)?.is_match(&one.address.to_string()),
        "name" => pattern::compile(value)?.is_match(&one.name),
        "network" => any(&|network| contains(network, one.address)),
        "rfc" | "rfcs" => any(&|number| one.is_in_rfc(number)),
        "type" => any(&|kind| kind.eq_ignore_ascii_case(one.kind()) || kind.eq_ignore_ascii_case("ip")),
        // All of the named flags must be set.
        "flag" | "flags" => value.split('|').all(|flag| one.flags().contains(&flag.trim())),
        "size" => size(one, value)?,
        other => return Err(Fault::Message(format!("include and exclude know no field {other:?}"))),
    })
}

/// `>=256`, or a size alone.
fn size(one: &Address, value: &str) -> Result<bool, Fault> {
    let digits = value.trim_start_matches(['<', '>', '=']);
    let bound: u128 = digits.trim().parse().map_err(|_| Fault::Message(format!("{value:?} is no size")))?;
    let order = one.size().cmp(&bound);
    Ok(match &value[..value.len() - digits.len()] {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        _ => order.is_eq(),
    })
}

/// By several keys, each downwards with a `-` before it.
pub(super) fn sorted(arguments: &[Value]) -> Answer {
    let keys = text(&arguments[0]);
    let mut all = given(&arguments[1])?;
    for key in keys.split(',') {
        let name = key.trim().trim_start_matches(['+', '-']);
        if !["address", "default", "name", "private", "size", "type"].contains(&name) {
            return Err(Fault::Message(format!("unknown sort type: {name:?}")));
        }
    }
    all.sort_by(|a, b| {
        keys.split(',').fold(Ordering::Equal, |order, key| {
            let key = key.trim();
            let name = key.trim_start_matches(['+', '-']);
            order.then_with(|| if key.starts_with('-') { compare(b, a, name) } else { compare(a, b, name) })
        })
    });
    Ok(list(all))
}

fn compare(a: &Address, b: &Address, key: &str) -> Ordering {
    match key {
        "address" => a.address.cmp(&b.address),
        "default" => b.is_default.cmp(&a.is_default),
        "name" => a.name.cmp(&b.name),
        "private" => b.is_private().cmp(&a.is_private()),
        "size" => a.size().cmp(&b.size()),
        _ => a.kind().cmp(b.kind()),
    }
}

pub(super) fn unique(arguments: &[Value]) -> Answer {
    let field = text(&arguments[0]).to_lowercase();
    let mut kept: Vec<Address> = Vec::new();
    for one in given(&arguments[1])? {
        let same = |known: &Address| if field == "name" { known.name == one.name } else { known.address == one.address };
        if !kept.iter().any(same) {
            kept.push(one);
        }
    }
    Ok(list(kept))
}

pub(super) fn limit(arguments: &[Value]) -> Answer {
    let count = usize::try_from(integer(&arguments[0])).unwrap_or(0);
    Ok(list(given(&arguments[1])?.into_iter().take(count).collect()))
}

/// A negative offset counts from the end.
pub(super) fn offset(arguments: &[Value]) -> Answer {
    let all = given(&arguments[1])?;
    let from = match integer(&arguments[0]) {
        from if from < 0 => all.len().saturating_sub(usize::try_from(from.unsigned_abs()).unwrap_or(usize::MAX)),
        from => usize::try_from(from).unwrap_or(usize::MAX),
    };
    Ok(list(all.into_iter().skip(from).collect()))
}

/// Of the first one.
pub(super) fn attribute(arguments: &[Value]) -> Answer {
    let all = given(&arguments[1])?;
    all.first().map_or_else(|| Ok("".into()), |one| one.attribute(&text(&arguments[0]).to_lowercase()).map(string))
}

/// `join "address" " "`
pub(super) fn join(arguments: &[Value]) -> Answer {
    let name = text(&arguments[0]).to_lowercase();
    let parts = given(&arguments[2])?.iter().map(|one| one.attribute(&name)).collect::<Result<Vec<_>, _>>()?;
    Ok(string(parts.join(&*text(&arguments[1]))))
}

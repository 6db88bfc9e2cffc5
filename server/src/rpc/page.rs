//! Lists in pages: in order, filtered, from where the last page ended.

use std::{fmt, str::FromStr};

use drover_model::{
    ids::Name,
    rpc::{Error, ReadOptions},
};
use drover_runtime::in_place_if;
use serde::Serialize;
use uuid::Uuid;

use super::{Found, filter::Filter};

/// The most rows of a page, whatever is asked.
const MAX_PER_PAGE: usize = 100_000;
/// Lists from here on take so long (a millisecond and more) that nothing else is to wait for them.
const LONG_ROWS: usize = 1000;

/// By when a row was made; rows of one command by their id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ByCreation(pub(super) u64, pub(super) Uuid);

impl fmt::Display for ByCreation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl FromStr for ByCreation {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (index, id) = text.split_once('.').ok_or(())?;
        Ok(Self(index.parse().map_err(|_| ())?, id.parse().map_err(|_| ())?))
    }
}

/// By namespace and id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByName(pub(crate) Name, pub(crate) Name);

impl fmt::Display for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl FromStr for ByName {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (namespace, id) = text.split_once('.').ok_or(())?;
        Ok(Self(namespace.into(), id.into()))
    }
}

/// By id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ById(pub(super) Uuid);

impl fmt::Display for ById {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ById {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        text.parse().map(Self).map_err(|_| ())
    }
}

/// Puts rows in order, leaves out what the filter does not want, and cuts out the page that is asked for. Only rows of the page are turned into their view.
pub(crate) fn page<K, R, V>(rows: Vec<(K, R)>, options: &ReadOptions, view: impl Fn(&R) -> V) -> Result<Found<Vec<V>>, Error>
where
    K: Ord + fmt::Display + FromStr,
    V: Serialize,
{
    in_place_if(rows.len() >= LONG_ROWS, || cut_out(rows, options, view))
}

fn cut_out<K, R, V>(mut rows: Vec<(K, R)>, options: &ReadOptions, view: impl Fn(&R) -> V) -> Result<Found<Vec<V>>, Error>
where
    K: Ord + fmt::Display + FromStr,
    V: Serialize,
{
    let invalid =
        |error: String| Error::bad_request(format!("failed to create result paginator: failed to read filter expression: {error}"));
    let mut filter = options.filter.as_deref().map(Filter::parse).transpose().map_err(invalid)?;
    let from: Option<K> = match options.next_token.as_str() {
        "" => None,
        token => Some(token.parse().map_err(|_| Error::bad_request("next_token is not one that a page ended with"))?),
    };
    rows.sort_unstable_by(|(a, _), (b, _)| if options.reverse { b.cmp(a) } else { a.cmp(b) });
    let most = match options.per_page as usize {
        0 => usize::MAX,
        asked => asked.min(MAX_PER_PAGE),
    };
    let mut found = Found::new(Vec::new());
    for (key, row) in &rows {
        let is_before = from.as_ref().is_some_and(|from| if options.reverse { key > from } else { key < from });
        if is_before {
            continue;
        }
        let shown = view(row);
        if let Some(filter) = &mut filter
            && !filter.matches(&shown)
        {
            continue;
        }
        if found.data.len() == most {
            found.next_token = key.to_string();
            break;
        }
        found.data.push(shown);
    }
    match filter.and_then(|filter| filter.unknown_selector()) {
        Some(message) => Err(Error::bad_request(format!("failed to read result page: {message}"))),
        None => Ok(found),
    }
}

/// Whether something of this namespace was asked for.
pub(super) fn in_namespace(options: &ReadOptions, namespace: &Name) -> bool {
    options.all_namespaces() || options.namespace == *namespace
}

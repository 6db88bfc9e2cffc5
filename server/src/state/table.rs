//! One table and one secondary index, both persistent.

use std::{borrow::Borrow, fmt, sync::Arc};

use drover_model::ids::{AllocId, DeploymentId, EvalId, JobKey, Name, NodeId, VolumeId};
use imbl::{OrdMap, OrdSet, ordmap::DiffItem};
use uuid::Uuid;

/// Rows by key.
pub struct Rows<K, R> {
    rows: OrdMap<K, Held<R>>,
}

/// A row as its table holds it. It equals no other one, whatever they say: so two tables are compared without reading a row.
#[derive(Clone)]
struct Held<R>(R);

impl<R: Shared> PartialEq for Held<R> {
    fn eq(&self, other: &Self) -> bool {
        self.0.is(&other.0)
    }
}

/// Rows of which it can be said without reading them whether they are the same.
pub(crate) trait Shared {
    fn is(&self, other: &Self) -> bool;
}

impl<V> Shared for Arc<V> {
    fn is(&self, other: &Self) -> bool {
        Self::ptr_eq(self, other)
    }
}

/// What comes with a row is made of it.
impl<V, W> Shared for (Arc<V>, W) {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// How a table differs from one of before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<R> {
    /// It is new, or was written again.
    Put(R),
    Gone(R),
}

impl<R> Change<R> {
    pub fn map<S>(self, with: impl FnOnce(R) -> S) -> Change<S> {
        match self {
            Self::Put(row) => Change::Put(with(row)),
            Self::Gone(row) => Change::Gone(with(row)),
        }
    }
}

/// Rows that are shared, so that a reader keeps one without copying it.
pub type Table<K, V> = Rows<K, Arc<V>>;

impl<K, R> Clone for Rows<K, R> {
    fn clone(&self) -> Self {
        Self { rows: self.rows.clone() }
    }
}

impl<K, R> Default for Rows<K, R> {
    fn default() -> Self {
        Self { rows: OrdMap::default() }
    }
}

/// The number of rows only: rows may hold secrets, and there may be many.
impl<K, R> fmt::Debug for Rows<K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({})", self.rows.len())
    }
}

impl<K: Ord + Clone, R: Clone> Rows<K, R> {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn get<Q>(&self, key: &Q) -> Option<&R>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.rows.get(key).map(|held| &held.0)
    }

    pub fn values(&self) -> impl DoubleEndedIterator<Item = &R> {
        self.rows.iter().map(|(_, held)| &held.0)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &R)> {
        self.rows.iter().map(|(key, held)| (key, &held.0))
    }

    /// Rows from `first` on, in order.
    pub fn from_key<'a, Q>(&'a self, first: &Q) -> impl DoubleEndedIterator<Item = (&'a K, &'a R)> + use<'a, K, R, Q>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.rows.range::<_, Q>((std::ops::Bound::Included(first), std::ops::Bound::Unbounded)).map(|(key, held)| (key, &held.0))
    }

    pub(crate) fn insert(&mut self, key: K, row: R) -> Option<R> {
        self.rows.insert(key, Held(row)).map(|held| held.0)
    }

    pub(crate) fn remove<Q>(&mut self, key: &Q) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.rows.remove(key).map(|held| held.0)
    }

    /// How this table differs from itself as it was `before`, in the order of its keys. What both share is not looked at.
    pub(crate) fn changes_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = Change<&'a R>> + use<'a, K, R>
    where
        R: Shared,
    {
        before.rows.diff(&self.rows).map(|difference| match difference {
            DiffItem::Add(_, held) | DiffItem::Update { new: (_, held), .. } => Change::Put(&held.0),
            DiffItem::Remove(_, held) => Change::Gone(&held.0),
        })
    }
}

impl<K: Ord + Clone, V: Clone + Default> Table<K, V> {
    /// Changes a row in place where no snapshot shares it; makes it when it is not there.
    pub(crate) fn change(&mut self, key: &K, change: impl FnOnce(&mut V)) {
        if let Some(row) = self.rows.get_mut(key) {
            change(Arc::make_mut(&mut row.0));
        } else {
            let mut row = V::default();
            change(&mut row);
            self.rows.insert(key.clone(), Held(Arc::new(row)));
        }
    }
}

/// Keys of rows by something else than their key.
pub struct Index<I, K> {
    entries: OrdSet<(I, K)>,
}

impl<I, K> Clone for Index<I, K> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone() }
    }
}

impl<I, K> Default for Index<I, K> {
    fn default() -> Self {
        Self { entries: OrdSet::default() }
    }
}

impl<I, K> fmt::Debug for Index<I, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({} entries)", self.entries.len())
    }
}

impl<I: Ord + Clone, K: Ord + Clone + Lowest> Index<I, K> {
    /// The keys that stand under `of`, in order.
    pub fn under<'a>(&'a self, of: &I) -> impl Iterator<Item = &'a K> + use<'a, I, K> {
        let first = (of.clone(), K::lowest());
        let of = of.clone();
        self.entries.range(first..).take_while(move |(entry, _)| *entry == of).map(|(_, key)| key)
    }

    /// All entries from one on, in order.
    pub fn from<'a>(&'a self, first: &(I, K)) -> impl Iterator<Item = &'a (I, K)> + use<'a, I, K> {
        self.entries.range(first.clone()..)
    }

    pub fn contains(&self, of: &I, key: &K) -> bool {
        self.entries.contains(&(of.clone(), key.clone()))
    }

    pub(crate) fn insert(&mut self, of: I, key: K) {
        self.entries.insert((of, key));
    }

    pub(crate) fn remove(&mut self, of: I, key: K) {
        self.entries.remove(&(of, key));
    }
}

/// The key that stands before all others of its kind: where a range begins.
pub trait Lowest {
    fn lowest() -> Self;
}

macro_rules! lowest_id {
    ($($id:ty),+) => {$(
        impl Lowest for $id {
            fn lowest() -> Self {
                Uuid::nil().into()
            }
        }
    )+};
}
lowest_id!(AllocId, EvalId, DeploymentId, NodeId, VolumeId);

impl Lowest for Name {
    fn lowest() -> Self {
        "".into()
    }
}

impl Lowest for JobKey {
    fn lowest() -> Self {
        Self::new("", "")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn put(table: &mut Table<u16, u16>, steps: &[(u16, Option<u16>)]) {
        for (key, row) in steps {
            match row {
                Some(row) => drop(table.insert(*key, Arc::new(*row))),
                None => drop(table.remove(key)),
            }
        }
    }

    fn steps(most: usize) -> impl Strategy<Value = Vec<(u16, Option<u16>)>> {
        prop::collection::vec((0u16..2000, prop::option::weighted(0.8, 0u16..4)), 0..most)
    }

    proptest! {
        #[test]
        fn changes_make_the_old_table_the_new_one(first in steps(1500), then in steps(60)) {
            let mut before = Table::default();
            put(&mut before, &first);
            let mut now = before.clone();
            put(&mut now, &then);
            let touched: BTreeMap<u16, Option<u16>> = then.into_iter().collect();
            let mut replayed: BTreeMap<u16, Arc<u16>> = before.iter().map(|(key, row)| (*key, Arc::clone(row))).collect();
            let keys = |table: &Table<u16, u16>| table.iter().map(|(key, row)| (Arc::as_ptr(row), *key)).collect::<BTreeMap<_, _>>();
            let (old, new) = (keys(&before), keys(&now));
            for change in now.changes_since(&before) {
                let key = match change {
                    Change::Put(row) => new[&Arc::as_ptr(row)],
                    Change::Gone(row) => old[&Arc::as_ptr(row)],
                };
                prop_assert!(touched.contains_key(&key), "{key} was not touched");
                match change {
                    Change::Put(row) => drop(replayed.insert(key, Arc::clone(row))),
                    Change::Gone(_) => drop(replayed.remove(&key)),
                }
            }
            let rows = |(key, row): (&u16, &Arc<u16>)| (*key, Arc::as_ptr(row));
            prop_assert!(replayed.iter().map(rows).eq(now.iter().map(rows)));
        }
    }
}

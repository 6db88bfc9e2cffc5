//! One table and one secondary index, both persistent.

use std::{borrow::Borrow, fmt, sync::Arc};

use drover_model::ids::{AllocId, DeploymentId, EvalId, JobKey, Name, NodeId, VolumeId};
use imbl::{OrdMap, OrdSet};
use uuid::Uuid;

/// Rows by key.
pub struct Rows<K, R> {
    rows: OrdMap<K, R>,
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
        self.rows.get(key)
    }

    pub fn values(&self) -> impl DoubleEndedIterator<Item = &R> {
        self.rows.iter().map(|(_, row)| row)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &R)> {
        self.rows.iter()
    }

    /// Rows from `first` on, in order.
    pub fn from_key<'a, Q>(&'a self, first: &Q) -> impl DoubleEndedIterator<Item = (&'a K, &'a R)> + use<'a, K, R, Q>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.rows.range::<_, Q>((std::ops::Bound::Included(first), std::ops::Bound::Unbounded))
    }

    pub(crate) fn insert(&mut self, key: K, row: R) -> Option<R> {
        self.rows.insert(key, row)
    }

    pub(crate) fn remove<Q>(&mut self, key: &Q) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.rows.remove(key)
    }
}

impl<K: Ord + Clone, V: Clone + Default> Table<K, V> {
    /// Changes a row in place where no snapshot shares it; makes it when it is not there.
    pub(crate) fn change(&mut self, key: &K, change: impl FnOnce(&mut V)) {
        if let Some(row) = self.rows.get_mut(key) {
            change(Arc::make_mut(row));
        } else {
            let mut row = V::default();
            change(&mut row);
            self.rows.insert(key.clone(), Arc::new(row));
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

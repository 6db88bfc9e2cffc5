//! What functions see of a pass, and what they leave behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::value::Value;
use crate::data::Data;
use crate::dependency::Dependency;
use crate::engine::{Environment, Pass};
use crate::limits::{DEPENDENCIES, LIST_ITEMS, VALUE_BYTES};

use super::function::Fault;

/// The state of one pass.
pub(crate) struct Context<'a> {
    pub(crate) pass: &'a Pass<'a>,
    pub(crate) used: BTreeSet<Dependency>,
    pub(crate) missing: BTreeSet<Dependency>,
    /// The store behind `scratch`; maps in it are kept apart, as `MapSet` needs them.
    pub(crate) scratch: BTreeMap<String, Value>,
    /// State of the deterministic sequence behind `shuffle` and the like.
    pub(crate) sequence: u64,
    /// Passwords that were derived in this pass.
    pub(crate) derived: u32,
}

impl<'a> Context<'a> {
    pub(crate) fn new(pass: &'a Pass<'a>) -> Self {
        #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "any bits serve as a seed")]
        let sequence = pass.now.as_nanosecond() as u64;
        Self { pass, used: BTreeSet::new(), missing: BTreeSet::new(), scratch: BTreeMap::new(), sequence, derived: 0 }
    }

    pub(crate) fn environment(&self) -> &Environment {
        self.pass.environment
    }

    /// The value of a dependency. Without one it is noted as missing, and the caller goes on with a zero value.
    pub(crate) fn lookup(&mut self, dependency: Dependency) -> Result<Option<Arc<Data>>, Fault> {
        if self.used.len() >= DEPENDENCIES && !self.used.contains(&dependency) {
            return Err(Fault::Limit(format!("more than {DEPENDENCIES} dependencies in one template")));
        }
        let data = self.pass.view.get(&dependency).cloned();
        if data.is_none() {
            self.missing.insert(dependency.clone());
        }
        self.used.insert(dependency);
        Ok(data)
    }

    /// The next number of a sequence that looks random and is the same in each run of the same pass.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.sequence = self.sequence.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.sequence;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Keeps the pass waiting although the dependency has a value, because the value says that there is nothing.
    pub(crate) fn wait_for(&mut self, dependency: Dependency) {
        self.missing.insert(dependency);
    }
}

/// Refuses to build a string that is too large.
pub(crate) fn check_bytes(bytes: usize) -> Result<(), Fault> {
    if bytes > VALUE_BYTES { Err(Fault::Limit(format!("a value of more than {VALUE_BYTES} bytes"))) } else { Ok(()) }
}

/// Refuses to build a list that is too long.
pub(crate) fn check_items(items: usize) -> Result<(), Fault> {
    if items > LIST_ITEMS { Err(Fault::Limit(format!("a list of more than {LIST_ITEMS} items"))) } else { Ok(()) }
}

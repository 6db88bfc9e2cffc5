//! Room that others depend on.
//!
//! Some allocations suit a few classes of nodes only. What suits them all would follow them there, since it fills what has been begun, and the next of those that have no
//! choice finds nothing, while other classes stand empty. So it goes elsewhere as soon as such a class is fuller than others.

use drover_model::resources::Amounts;

use super::fleet::{Fleet, Row};

/// Classes may differ by this share of their room before it matters,
const TOLERANCE: f64 = 0.02;
/// and by so many nodes: inside of a class, one node is filled after another.
const TOLERATED_NODES: f64 = 2.0;

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    nodes: u32,
    capacity: Amounts,
    used: Amounts,
    bound: Amounts,
}

impl Sum {
    fn add(&mut self, fleet: &Fleet<'_>, row: Row) {
        self.nodes += 1;
        self.capacity = self.capacity.plus(*fleet.capacity(row));
        self.used = self.used.plus(*fleet.used(row));
        self.bound = self.bound.plus(fleet.exclusive(row).bound);
    }

    /// How full it is when those that are bound to it have grown by a factor, by what is scarcest.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
    fn pressure(&self, growth: f64) -> f64 {
        let share = |used: u64, bound: u64, capacity: u64| {
            if capacity == 0 { 0.0 } else { (used as f64 + growth * bound as f64) / capacity as f64 }
        };
        let cpu = share(self.used.cpu_mhz, self.bound.cpu_mhz, self.capacity.cpu_mhz);
        cpu.max(share(self.used.memory_mib, self.bound.memory_mib, self.capacity.memory_mib))
    }
}

/// For each class whether it is better left to those that are bound to it. Empty where that is true of none.
pub(super) fn crowded(fleet: &Fleet<'_>, suits: &[bool]) -> Vec<bool> {
    let mut sums = vec![Sum::default(); fleet.classes().count()];
    let mut all = Sum::default();
    for row in (0..fleet.len()).filter(|row| suits[*row]) {
        sums[fleet.class_of(row)].add(fleet, row);
        all.add(fleet, row);
    }
    // Those that are bound are expected to grow as everything does until all is full, but not more than twofold: what has just begun says little.
    let full = all.pressure(0.0);
    let growth = if full > 0.5 { (1.0 - full).max(0.0) / full } else { 1.0 };
    let open = || sums.iter().filter(|sum| sum.nodes > 0);
    let least = open().map(|sum| sum.pressure(growth)).fold(f64::INFINITY, f64::min);
    let is_crowded = |sum: &Sum| {
        let tolerance = TOLERANCE.max(TOLERATED_NODES / f64::from(sum.nodes.max(1)));
        sum.bound != Amounts::default() && sum.pressure(growth) > least + tolerance
    };
    if open().any(is_crowded) { sums.iter().map(is_crowded).collect() } else { Vec::new() }
}

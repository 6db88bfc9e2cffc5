//! How good a node is for one more allocation: the mean of the parts that have a say.

use std::borrow::Cow;

use drover_model::resources::Amounts;
use litemap::LiteMap;

use crate::Algorithm;

/// The parts of a node's score, each between -1 and 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Parts {
    pub(crate) fit: f64,
    /// Zero or less: others of the group run there.
    pub(crate) anti_affinity: f64,
    /// Zero or -1: an earlier attempt failed there.
    pub(crate) penalty: f64,
    pub(crate) affinity: f64,
    /// Zero or -1: others depend on the room here, or the same reason speaks for a node where none of the group is.
    pub(crate) balance: f64,
    /// Only where the group likes some devices better than others.
    pub(crate) devices: Option<f64>,
    /// Only where the job spreads.
    pub(crate) spread: Option<f64>,
    /// There was no other node to compare with: the fit is all there is to say.
    pub(crate) alone: bool,
}

impl Parts {
    /// The sum of what does not depend on the spread, and how many parts that is.
    pub(crate) fn base(&self) -> (f64, u8) {
        let others = [self.anti_affinity, self.penalty, self.affinity, self.balance];
        let having_a_say = others.iter().filter(|part| **part != 0.0).count() + usize::from(self.devices.is_some());
        let sum = self.fit + others.iter().sum::<f64>() + self.devices.unwrap_or_default();
        (sum, 1 + u8::try_from(having_a_say).unwrap_or(u8::MAX))
    }

    /// The same for one that had to be here.
    pub(crate) fn alone(&self) -> Self {
        Self { fit: self.fit, alone: true, ..Self::default() }
    }

    pub(crate) fn norm(&self) -> f64 {
        let (sum, count) = self.base();
        mean(sum, count, self.spread)
    }

    /// By the API's names.
    pub(crate) fn named(&self) -> LiteMap<Cow<'static, str>, f64> {
        let among_others = |part: f64| (!self.alone).then_some(part);
        // In the order of their names, as the map has them.
        let all = [
            ("allocation-spread", self.spread),
            ("binpack", Some(self.fit)),
            ("class-balance", (self.balance != 0.0).then_some(self.balance)),
            ("devices", self.devices),
            ("job-anti-affinity", among_others(self.anti_affinity)),
            ("node-affinity", among_others(self.affinity)),
            ("node-reschedule-penalty", among_others(self.penalty)),
        ];
        let mut named = LiteMap::with_capacity(all.len());
        for (name, part) in all {
            if let Some(part) = part {
                named.insert(Cow::Borrowed(name), part);
            }
        }
        named
    }
}

pub(crate) fn mean(sum: f64, count: u8, spread: Option<f64>) -> f64 {
    match spread {
        Some(spread) => (sum + spread) / (f64::from(count) + 1.0),
        None => sum / f64::from(count),
    }
}

/// Best fit as published for Google's clusters ("BestFit v3"): 10 to the power of the free share, for processor and memory. Full nodes get 1
/// and empty ones 0; spreading is the opposite.
#[expect(clippy::cast_precision_loss, reason = "shares of a node's resources need no 53 bits")]
pub(crate) fn fit(algorithm: Algorithm, capacity: &Amounts, used: &Amounts) -> f64 {
    let free = |used: u64, capacity: u64| if capacity == 0 { 0.0 } else { 1.0 - used as f64 / capacity as f64 };
    let power = |free: f64| (free * std::f64::consts::LOG2_10).exp2();
    let total = power(free(used.cpu_mhz, capacity.cpu_mhz)) + power(free(used.memory_mib, capacity.memory_mib));
    let score = match algorithm {
        Algorithm::Binpack => 20.0 - total,
        Algorithm::Spread => total - 2.0,
    };
    score.clamp(0.0, 18.0) / 18.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts(cpu_mhz: u64, memory_mib: u64) -> Amounts {
        Amounts { cpu_mhz, memory_mib, ..Amounts::default() }
    }

    #[test]
    fn full_nodes_are_best_for_packing_and_worst_for_spreading() {
        let capacity = amounts(5198, 24105);
        for (used, packed, spread) in [
            (amounts(0, 0), 0.0, 1.0),
            (amounts(5198, 24105), 1.0, 0.0),
            (amounts(50, 32), 0.013_865_194_622_035_344, 0.986_134_805_377_964_7),
            (amounts(20, 16), 0.004_932_889_206_013_908 + 0.000_5, 0.994_5),
        ] {
            assert!((fit(Algorithm::Binpack, &capacity, &used) - packed).abs() < 1e-3);
            assert!((fit(Algorithm::Spread, &capacity, &used) - spread).abs() < 1e-3);
        }
    }

    #[test]
    fn only_parts_with_a_say_count() {
        let packed = Parts { fit: 0.5, ..Parts::default() };
        assert_eq!(packed.norm(), 0.5);
        assert_eq!(Parts { anti_affinity: -0.5, ..packed }.norm(), 0.0);
        assert_eq!(Parts { affinity: 1.0, spread: Some(0.0), ..packed }.norm(), 0.5);
        assert_eq!(packed.named().len(), 4);
    }
}

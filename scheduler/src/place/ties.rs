//! Nodes that are as good as each other, and who takes which.

use drover_model::node::Node;

use super::fleet::Row;
use crate::{Lane, inputs::mix};

/// Differences of scores below this are chance: a megahertz more or less is no reason.
const NEAR: f64 = 1e-3;

/// The same while others compute. A scheduler that then insists on the very best node takes what another one takes at this moment, and both plans cost time.
const NEAR_AMONG_RIVALS: f64 = 2e-2;

/// Decides between nodes of nearly equal score.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ties {
    pub(crate) seed: u64,
    pub(crate) lane: Lane,
}

impl Ties {
    /// A score as a whole number in which near-ties are ties.
    #[expect(clippy::cast_possible_truncation, reason = "scores are between -1 and 1, and the cast saturates")]
    pub(crate) fn quantized(&self, norm: f64) -> i32 {
        let near = if self.lane.is_alone() { NEAR } else { NEAR_AMONG_RIVALS };
        (norm / near).round() as i32
    }

    /// The higher is taken. Nodes of the scheduler's own lane come first, chance decides about the rest.
    #[expect(clippy::cast_possible_truncation, reason = "any 31 bits of it will do")]
    pub(crate) fn rank(&self, row: Row, node: &Node) -> u32 {
        let chance = (mix(self.seed ^ (row as u64)) as u32) >> 1;
        chance | (u32::from(!self.lane.is_alone() && self.is_own(node)) << 31)
    }

    fn is_own(&self, node: &Node) -> bool {
        let (high, low) = node.id.as_uuid().as_u64_pair();
        mix(high ^ low) % u64::from(self.lane.of) == u64::from(self.lane.index)
    }
}

//! What is given to a scheduler beside the state: the time, and where its ids and coin tosses come from.

use drover_model::{
    evaluation::Evaluation,
    ids::{AllocId, DeploymentId, EvalId},
    time::UnixNanos,
};

/// Time and chance, as arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inputs {
    pub now: UnixNanos,
    /// Drawn anew by the caller for every call: it breaks ties (so that parallel schedulers do not all choose one node) and, with the
    /// evaluation's id, yields the ids of what is created.
    pub seed: u64,
    pub lane: Lane,
}

impl Inputs {
    /// Those of a scheduler beside which no other one computes.
    pub fn alone(now: UnixNanos, seed: u64) -> Self {
        Self { now, seed, lane: Lane::default() }
    }
}

/// Which of the schedulers that compute at the same time this one is. They do not see each other's choices, so each prefers nodes of its own among near-equals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// Below `of`.
    pub index: u32,
    /// Up to 1: there are no others.
    pub of: u32,
}

impl Lane {
    pub fn is_alone(&self) -> bool {
        self.of <= 1
    }
}

/// A stream of numbers that the seed and the evaluation determine.
#[derive(Clone, Debug)]
pub(crate) struct Stream(u64, u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A permutation of the 64-bit numbers that spreads every input bit over the whole output (the finalizer of SplitMix64).
pub(crate) fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Stream {
    pub(crate) fn new(inputs: Inputs, evaluation: &Evaluation) -> Self {
        let (high, low) = evaluation.id.as_uuid().as_u64_pair();
        Self(mix(high ^ inputs.seed.wrapping_add(GOLDEN)), mix(low ^ inputs.seed.rotate_left(32)))
    }

    /// Two lanes with different states: 128 bits, so that ids do not collide where two seeds happen to be equal.
    fn bytes(&mut self) -> [u8; 16] {
        self.0 = self.0.wrapping_add(GOLDEN);
        self.1 = self.1.wrapping_add(GOLDEN).rotate_left(1);
        let pair = (u128::from(mix(self.0)) << 64) | u128::from(mix(self.1 ^ self.0.rotate_left(17)));
        pair.to_be_bytes()
    }

    /// A stream of its own, so that how much one part draws does not change what another one gets.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.number(), self.number())
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    pub(crate) fn alloc_id(&mut self) -> AllocId {
        AllocId::from_random(self.bytes())
    }

    pub(crate) fn eval_id(&mut self) -> EvalId {
        EvalId::from_random(self.bytes())
    }

    pub(crate) fn deployment_id(&mut self) -> DeploymentId {
        DeploymentId::from_random(self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_repeat_with_the_seed_and_differ_without() {
        let draw = |seed, id: u8| {
            let evaluation = Evaluation { id: EvalId::from_random([id; 16]), ..Evaluation::default() };
            let mut stream = Stream::new(Inputs::alone(UnixNanos(1), seed), &evaluation);
            (0..1000).map(|_| stream.alloc_id()).collect::<BTreeSet<_>>()
        };
        assert_eq!(draw(1, 1), draw(1, 1));
        for (seed, id) in [(2, 1), (1, 2), (0, 0)] {
            assert_eq!(draw(1, 1).intersection(&draw(seed, id)).count(), 0);
        }
        assert_eq!(draw(1, 1).len(), 1000);
    }
}

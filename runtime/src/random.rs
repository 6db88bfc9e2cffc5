//! Randomness: ids, jitter, seeds.

use std::{fmt, time::Duration};

use rand::{TryRngCore, rngs::OsRng};

/// Gives random bytes. Keys and tokens are drawn from here too, so the real form is the operating system's.
pub trait Random: Send + Sync + fmt::Debug {
    fn fill(&self, bytes: &mut [u8]);
}

impl dyn Random + '_ {
    /// Sixteen bytes, as ids are made of.
    pub fn id_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        bytes
    }

    pub fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number below `bound`; 0 when the bound is 0.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.number() % bound }
    }

    /// A duration up to `most`, so that many who wait do not all come back at once.
    pub fn jitter(&self, most: Duration) -> Duration {
        Duration::from_nanos(self.below(u64::try_from(most.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness there are neither ids nor keys, and it only fails on a system that cannot run us at all.
        OsRng.try_fill_bytes(bytes).expect("the operating system gives no randomness (getrandom failed)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_bounds_hold() {
        let random: &dyn Random = &OsRandom;
        assert_ne!(random.id_bytes(), random.id_bytes());
        assert_eq!(random.below(0), 0);
        assert!((0..100).all(|_| random.below(3) < 3));
        assert!(random.jitter(Duration::from_millis(5)) < Duration::from_millis(5));
    }
}

//! Ids that begin with some hexadecimal digits, as people type them.

use uuid::Uuid;

/// The range of UUIDs that begin with a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdPrefix {
    pub first: Uuid,
    pub last: Uuid,
}

impl IdPrefix {
    /// None when it is no prefix of any UUID: other characters, or too many of them. Hyphens do not count.
    pub fn parse(prefix: &str) -> Option<Self> {
        let digits: String = prefix.chars().filter(|c| *c != '-').collect();
        if digits.len() > 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let fill = |with: char| {
            let mut full = digits.clone();
            full.extend(std::iter::repeat_n(with, 32 - digits.len()));
            u128::from_str_radix(&full, 16).ok().map(Uuid::from_u128)
        };
        Some(Self { first: fill('0')?, last: fill('f')? })
    }

    pub fn contains(&self, id: Uuid) -> bool {
        (self.first..=self.last).contains(&id)
    }
}

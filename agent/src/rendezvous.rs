//! Rendezvous hashing: whoever asks with the same key is given the same instances, and one that goes moves only those who had chosen it.

use std::cmp::Reverse;

/// Keeps the `count` that a key chooses, the first choice first.
pub(crate) fn choose<T>(found: &mut Vec<T>, count: usize, key: &str, id: impl Fn(&T) -> &str) {
    found.sort_by_cached_key(|instance| Reverse(score(id(instance), key)));
    found.truncate(count);
}

/// FNV-1a, with its bits mixed (the last bytes hardly reach the upper ones, which decide): the choice must be the same on every agent.
fn score(id: &str, key: &str) -> u64 {
    let bytes = id.bytes().chain([0]).chain(key.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_that_goes_moves_only_those_who_had_chosen_it() {
        let all: Vec<String> = (0..10).map(|number| format!("instance-{number}")).collect();
        let first = |instances: &[String], key: &str| {
            let mut found = instances.to_vec();
            choose(&mut found, 1, key, |id| id);
            found.remove(0)
        };
        let mut moved = 0;
        for key in (0..200).map(|number| format!("key-{number}")) {
            let before = first(&all, &key);
            let after = first(&all[1..], &key);
            assert!(before == all[0] || before == after, "{key}: {before} -> {after}");
            moved += usize::from(before != after);
        }
        assert!((1..60).contains(&moved), "{moved} of 200 keys chose one of ten instances");
    }
}

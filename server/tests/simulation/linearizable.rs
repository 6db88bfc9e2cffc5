//! Whether a history of reads and writes of one register can have happened one after another.
//!
//! The search is Wing and Gong's, with the improvement of Lowe: what was tried is remembered. An operation whose outcome nobody knows may have happened at any time
//! after it began, or never.

use std::collections::BTreeSet;

/// The most operations of one history.
pub(crate) const MOST: usize = 128;

#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) what: What,
    pub(crate) began: u128,
    /// None: nobody knows whether it happened.
    pub(crate) ended: Option<u128>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Write(u64),
    /// What was found.
    Read(Option<u64>),
}

/// Panics with the history when it cannot have happened.
pub(crate) fn check(name: &str, history: &[Operation]) {
    assert!(history.len() <= MOST, "a history of {} operations is too long to check", history.len());
    let mut tried = BTreeSet::new();
    assert!(search(history, 0, None, &mut tried), "{name}: no order of these operations explains what was read:\n{}", show(history));
}

fn search(history: &[Operation], done: u128, value: Option<u64>, tried: &mut BTreeSet<(u128, Option<u64>)>) -> bool {
    if !tried.insert((done, value)) {
        return false;
    }
    let left = || history.iter().enumerate().filter(|(number, _)| done & (1 << number) == 0);
    // What began after something else had ended cannot have come before it.
    let Some(first_end) = left().filter_map(|(_, operation)| operation.ended).min() else { return true };
    let candidates = left().filter(|(_, operation)| operation.began <= first_end);
    for (number, operation) in candidates {
        let after = match &operation.what {
            What::Write(written) => Some(*written),
            What::Read(found) if *found == value => value,
            What::Read(_) => continue,
        };
        if search(history, done | (1 << number), after, tried) {
            return true;
        }
    }
    false
}

fn show(history: &[Operation]) -> String {
    let line = |operation: &Operation| format!("  {} .. {:?}: {:?}\n", operation.began, operation.ended, operation.what);
    history.iter().map(line).collect()
}

#[test]
fn histories_that_can_and_cannot_have_happened() {
    let write = |value, began, ended| Operation { what: What::Write(value), began, ended };
    let read = |value, began, ended| Operation { what: What::Read(value), began, ended: Some(ended) };
    let possible = |history: &[Operation]| search(history, 0, None, &mut BTreeSet::new());
    for (name, history, want) in [
        ("nothing", vec![], true),
        ("a write is read", vec![write(1, 0, Some(1)), read(Some(1), 2, 3)], true),
        ("a write is not read", vec![write(1, 0, Some(1)), read(None, 2, 3)], false),
        ("either, while it is written", vec![write(1, 0, Some(9)), read(None, 2, 3), read(Some(1), 4, 5)], true),
        ("not one and then the other", vec![write(1, 0, Some(9)), read(Some(1), 2, 3), read(None, 4, 5)], false),
        ("an unknown one may have happened", vec![write(1, 0, None), read(None, 2, 3), read(Some(1), 4, 5)], true),
        ("but not be taken back", vec![write(1, 0, None), read(Some(1), 2, 3), read(None, 4, 5)], false),
        ("an older value comes back", vec![write(1, 0, Some(1)), write(2, 2, Some(3)), read(Some(1), 4, 5)], false),
        ("two at once, in either order", vec![write(1, 0, Some(5)), write(2, 0, Some(5)), read(Some(1), 6, 7)], true),
    ] {
        assert_eq!(possible(&history), want, "{name}");
    }
}

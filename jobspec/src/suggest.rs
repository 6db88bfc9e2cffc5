//! "Did you mean ...?"

/// The candidate nearest to `given`, if it is near enough to be a slip of the finger.
pub(crate) fn nearest<'a>(given: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Names longer than this are not compared: the cost grows with the square of the length.
    const MAX_LENGTH: usize = 64;
    if given.len() > MAX_LENGTH {
        return None;
    }
    candidates.map(|candidate| (distance(given, candidate), candidate)).filter(|(distance, _)| *distance < 3).min().map(|(_, name)| name)
}

/// How many insertions, deletions and replacements of characters turn one into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

//! Splits a history by lock.

use super::Entry;

/// The number of a lock in a history.
pub type Lock = u32;

/// Returns the indices of each lock's entries, sorted by lock.
pub fn by_lock(entries: &[(Lock, Entry)]) -> Vec<(Lock, Vec<usize>)> {
    let mut indices: Vec<(Lock, Vec<usize>)> = Vec::new();
    for (index, (lock, _)) in entries.iter().enumerate() {
        match indices.binary_search_by_key(lock, |(known, _)| *known) {
            Ok(found) => indices[found].1.push(index),
            Err(missing) => indices.insert(missing, (*lock, vec![index])),
        }
    }
    indices
}

#[cfg(test)]
mod tests {
    use super::super::testing::history;
    use super::*;

    #[test]
    fn entries_are_split_by_lock_in_order() {
        let entries = history("a+? a+! b+? b+! c+? c+! d+? d+!").entries;
        let entries: Vec<_> = [3, 1, 3, 2].into_iter().zip(entries).collect();
        assert_eq!(by_lock(&entries), [(1, vec![1]), (2, vec![3]), (3, vec![0, 2])]);
        assert_eq!(by_lock(&[]), []);
    }
}

//! A history taken apart, lock by lock.

use super::Entry;

/// A lock that a history speaks of, as a number.
pub type Lock = u32;

/// The places of each lock's entries, in the order of the locks.
pub fn by_lock(entries: &[(Lock, Entry)]) -> Vec<(Lock, Vec<usize>)> {
    let mut places: Vec<(Lock, Vec<usize>)> = Vec::new();
    for (place, (lock, _)) in entries.iter().enumerate() {
        match places.binary_search_by_key(lock, |(known, _)| *known) {
            Ok(found) => places[found].1.push(place),
            Err(missing) => places.insert(missing, (*lock, vec![place])),
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::super::testing::history;
    use super::*;

    #[test]
    fn each_lock_has_its_own_entries_in_their_order() {
        let entries = history("a+? a+! b+? b+! c+? c+! d+? d+!").entries;
        let entries: Vec<_> = [3, 1, 3, 2].into_iter().zip(entries).collect();
        assert_eq!(by_lock(&entries), [(1, vec![1]), (2, vec![3]), (3, vec![0, 2])]);
        assert_eq!(by_lock(&[]), []);
    }
}

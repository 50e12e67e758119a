//! A map for keys that are assigned in ascending order.

/// A vector sorted by key. Keys mostly arrive in order, so most insertions and look-ups happen at the end. Unused keys
/// take no space.
pub(crate) struct Table<K, V> {
    rows: Vec<(K, V)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Table { rows: Vec::new() }
    }
}

impl<K: Copy + Ord, V: Default> Table<K, V> {
    /// Creates an empty table with capacity for this many rows.
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Table { rows: Vec::with_capacity(rows) }
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        self.index_of(key).ok().map(|index| &self.rows[index].1)
    }

    /// Returns the value of this key. Inserts a default value if there is none.
    pub(crate) fn row(&mut self, key: K) -> &mut V {
        let index = self.index_of(key).unwrap_or_else(|index| {
            self.rows.insert(index, (key, V::default()));
            index
        });
        &mut self.rows[index].1
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.rows.iter().map(|(_, value)| value)
    }

    fn index_of(&self, key: K) -> Result<usize, usize> {
        match self.rows.last() {
            None => Err(0),
            Some((last, _)) if *last < key => Err(self.rows.len()),
            Some((last, _)) if *last == key => Ok(self.rows.len() - 1),
            Some(_) => self.rows.binary_search_by_key(&key, |(key, _)| *key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_may_arrive_in_any_order() {
        let mut table = Table::<u32, u32>::with_capacity(2);
        for key in [5, 1, 9, 3, 9] {
            *table.row(key) += key;
        }
        assert_eq!([1, 3, 5, 9, 2].map(|key| table.get(key).copied()), [Some(1), Some(3), Some(5), Some(18), None]);
        assert_eq!(table.values().copied().collect::<Vec<_>>(), [1, 3, 5, 18]);
    }
}

//! A map for keys that are assigned in ascending order.

/// A vector sorted by key. Keys mostly arrive in order: a new one goes to the end, and most look-ups find it there.
/// Unused keys take no space.
pub(crate) struct Table<K, V> {
    rows: Vec<(K, V)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Table { rows: Vec::new() }
    }
}

impl<K: Copy + Ord, V: Default> Table<K, V> {
    /// An empty table with room for this many rows.
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Table { rows: Vec::with_capacity(rows) }
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        self.place(key).ok().map(|place| &self.rows[place].1)
    }

    /// The value of this key; a default value is inserted if there is none.
    pub(crate) fn row(&mut self, key: K) -> &mut V {
        let place = self.place(key).unwrap_or_else(|place| {
            self.rows.insert(place, (key, V::default()));
            place
        });
        &mut self.rows[place].1
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.rows.iter().map(|(_, value)| value)
    }

    fn place(&self, key: K) -> Result<usize, usize> {
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

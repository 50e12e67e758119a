//! Keeps labels apart.

/// Rows on which labels lie side by side.
pub(super) struct Shelf {
    rows: Vec<Vec<(f64, f64)>>,
}

impl Shelf {
    pub fn new(rows: usize) -> Shelf {
        Shelf { rows: vec![Vec::new(); rows] }
    }

    /// The first row that is free from the left to the right.
    pub fn place(&mut self, left: f64, right: f64) -> Option<usize> {
        let free = |row: &Vec<(f64, f64)>| row.iter().all(|(from, to)| right <= *from || left >= *to);
        let row = self.rows.iter().position(free)?;
        self.rows[row].push((left, right));
        Some(row)
    }
}

/// Pushes places apart that are nearer to each other than this, to the right as far as there is room.
pub(super) fn spread(places: &mut [f64], apart: f64, right: f64) {
    for at in 1..places.len() {
        places[at] = places[at].max(places[at - 1] + apart);
    }
    let mut limit = right;
    for place in places.iter_mut().rev() {
        *place = place.min(limit);
        limit = *place - apart;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_find_their_rows() {
        let mut shelf = Shelf::new(2);
        let rows = [(0.0, 10.0), (5.0, 15.0), (8.0, 9.0), (10.0, 20.0)].map(|(from, to)| shelf.place(from, to));
        assert_eq!(rows, [Some(0), Some(1), None, Some(0)]);
    }

    #[test]
    fn places_are_spread_within_the_edge() {
        let mut places = [10.0, 12.0, 13.0, 99.0];
        spread(&mut places, 20.0, 100.0);
        assert_eq!(places, [10.0, 30.0, 50.0, 99.0]);
        let mut places = [90.0, 95.0];
        spread(&mut places, 20.0, 100.0);
        assert_eq!(places, [80.0, 100.0]);
    }
}

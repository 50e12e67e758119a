//! Places labels without overlap.

/// Rows of labels that do not overlap.
pub(super) struct Shelf {
    rows: Vec<Vec<(f64, f64)>>,
}

impl Shelf {
    pub fn new(rows: usize) -> Shelf {
        Shelf { rows: vec![Vec::new(); rows] }
    }

    /// Reserves the range from `left` to `right` in the first row where it is free, and returns the row.
    pub fn place(&mut self, left: f64, right: f64) -> Option<usize> {
        let row = (0..self.rows.len()).find(|row| self.is_free(*row, left, right))?;
        self.rows[row].push((left, right));
        Some(row)
    }

    /// Hangs a label from `x` into the first row with room for one of `sides`, if the line above the label is free too.
    /// The first row is kept free at `columns`, where labels are still to be placed.
    pub fn hang<T: Copy>(&mut self, x: f64, sides: &[(T, f64, f64)], columns: &[f64]) -> Option<(usize, T)> {
        let line = (x - 1.0, x + 1.0);
        let covers = |left: f64, right: f64| columns.iter().any(|column| left < *column && *column < right);
        for row in 0..self.rows.len() {
            let fits =
                |side: &&(T, f64, f64)| self.is_free(row, side.1, side.2) && (row > 0 || !covers(side.1, side.2));
            if let Some((side, left, right)) = sides.iter().find(fits).copied() {
                self.rows[row].push((left, right));
                self.rows[..row].iter_mut().for_each(|above| above.push(line));
                return Some((row, side));
            }
            if !self.is_free(row, line.0, line.1) {
                return None;
            }
        }
        None
    }

    fn is_free(&self, row: usize, left: f64, right: f64) -> bool {
        self.rows[row].iter().all(|(from, to)| right <= *from || left >= *to)
    }
}

/// Moves positions that are closer than `apart` to the right, up to `right`.
pub(super) fn spread(positions: &mut [f64], apart: f64, right: f64) {
    for at in 1..positions.len() {
        positions[at] = positions[at].max(positions[at - 1] + apart);
    }
    let mut limit = right;
    for position in positions.iter_mut().rev() {
        *position = position.min(limit);
        limit = *position - apart;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_use_the_first_free_row() {
        let mut shelf = Shelf::new(2);
        let rows = [(0.0, 10.0), (5.0, 15.0), (8.0, 9.0), (10.0, 20.0)].map(|(from, to)| shelf.place(from, to));
        assert_eq!(rows, [Some(0), Some(1), None, Some(0)]);
    }

    #[test]
    fn labels_hang_from_their_marks() {
        let mut shelf = Shelf::new(2);
        let mut hang =
            |x: f64, columns: &[f64]| shelf.hang(x, &[('r', x - 2.0, x + 9.0), ('l', x - 9.0, x + 2.0)], columns);
        assert_eq!(hang(20.0, &[16.0, 12.0]), Some((0, 'r')));
        assert_eq!(hang(16.0, &[12.0]), Some((1, 'r')), "on the left it would cover a later label");
        assert_eq!(hang(12.0, &[]), Some((0, 'l')));
        assert_eq!(hang(24.0, &[]), None, "its line would cross another label");
    }

    #[test]
    fn positions_are_spread_within_the_edge() {
        let mut positions = [10.0, 12.0, 13.0, 99.0];
        spread(&mut positions, 20.0, 100.0);
        assert_eq!(positions, [10.0, 30.0, 50.0, 99.0]);
        let mut positions = [90.0, 95.0];
        spread(&mut positions, 20.0, 100.0);
        assert_eq!(positions, [80.0, 100.0]);
    }
}

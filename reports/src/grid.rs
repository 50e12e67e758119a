//! Cells arranged as lock × scenario.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::results::{CellHeader, CellResult, PropertyCount};

/// A cell: its header and its result.
pub type Cell = (CellHeader, CellResult);

/// Some cells by lock and scenario, each in the order of first appearance.
#[derive(Debug)]
pub struct Grid<'a> {
    /// The locks: the rows.
    pub locks: Vec<&'a str>,
    /// The scenarios: the columns.
    pub scenarios: Vec<&'a str>,
    cells: BTreeMap<(&'a str, &'a str), &'a Cell>,
}

/// The finding of a cell for one property.
#[derive(Clone, Copy, Debug)]
pub enum Finding<'a> {
    /// The grid has no such cell.
    Missing,
    /// The scenario does not apply to the lock, or the property does not apply to the cell. Holds the reason.
    NotApplicable(&'a str),
    /// The cell was run, and the property applies.
    Checked(&'a Cell, PropertyCount),
}

impl<'a> Grid<'a> {
    /// Creates a grid. If a lock and a scenario occur twice, the last cell counts.
    pub fn new(cells: impl IntoIterator<Item = &'a Cell>) -> Self {
        let mut grid = Grid { locks: Vec::new(), scenarios: Vec::new(), cells: BTreeMap::new() };
        for cell in cells {
            let (lock, scenario) = (cell.0.lock.as_str(), cell.0.scenario.as_str());
            if grid.cells.insert((lock, scenario), cell).is_some() {
                continue;
            }
            if !grid.locks.contains(&lock) {
                grid.locks.push(lock);
            }
            if !grid.scenarios.contains(&scenario) {
                grid.scenarios.push(scenario);
            }
        }
        grid
    }

    /// Returns the cell of a lock in a scenario.
    pub fn cell(&self, lock: &str, scenario: &str) -> Option<&'a Cell> {
        self.cells.get(&(lock, scenario)).copied()
    }

    /// Returns the cells of a lock, in the order of the scenarios.
    pub fn row(&self, lock: &str) -> impl Iterator<Item = &'a Cell> {
        self.scenarios.iter().filter_map(move |scenario| self.cell(lock, scenario))
    }

    /// Returns the cells of a scenario, in the order of the locks.
    pub fn column(&self, scenario: &str) -> impl Iterator<Item = &'a Cell> {
        self.locks.iter().filter_map(move |lock| self.cell(lock, scenario))
    }

    /// Returns the finding of a cell for a property.
    pub fn finding(&self, lock: &str, scenario: &str, property: Property) -> Finding<'a> {
        let Some(cell) = self.cell(lock, scenario) else { return Finding::Missing };
        let (header, result) = cell;
        if !header.applicable {
            return Finding::NotApplicable(
                header.reason.as_deref().unwrap_or("the scenario does not apply to this lock"),
            );
        }
        let count = result.property(property);
        match count.is_applicable() {
            true => Finding::Checked(cell, count),
            false => Finding::NotApplicable("the property does not apply to this lock or workload"),
        }
    }

    /// Returns whether the property applies to any cell.
    pub fn is_checked(&self, property: Property) -> bool {
        self.cells.values().any(|(header, result)| header.applicable && result.property(property).is_applicable())
    }

    /// Returns the shortest and longest effective expiry that a lock was run with, or `None` if it never expires.
    pub fn expiry_range(&self, lock: &str) -> Option<(Duration, Duration)> {
        let all =
            || self.row(lock).filter(|(header, _)| header.applicable).filter_map(|(header, _)| header.effective_expiry);
        Some((all().min()?, all().max()?))
    }
}

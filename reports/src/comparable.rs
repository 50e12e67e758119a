//! Selects the scenarios in which costs of locks can be compared: those that all locks ran in, under the same load with
//! and without faults. Other sums would compare scenarios rather than locks.

use std::collections::BTreeSet;

use fencepost_scenarios::run::results::CellHeader;

use crate::grid::{Cell, Grid};
use crate::pool::{NO_LOCK, unguarded_cells};
use crate::text::{clipped, grouped};

/// The maximum number of scenarios listed by name.
const MOST_NAMED: usize = 3;

/// The scenarios in which costs are compared.
#[derive(Debug)]
pub struct Comparable<'a> {
    /// The scenarios without faults.
    pub calm: Vec<&'a str>,
    /// The scenarios with faults.
    pub faulty: Vec<&'a str>,
    /// Whether all have the same load, so the two groups differ only in faults.
    pub same_load: bool,
}

impl<'a> Comparable<'a> {
    /// Selects scenarios that show the lock itself. Prefers those that all locks were run in, and then those with a run
    /// under the same load with and without faults.
    pub fn of(cells: &'a [Cell]) -> Self {
        let grid = Grid::new(unguarded_cells(cells).into_iter().filter(|(header, _)| header.applicable));
        let scenarios = preferred(grid.scenarios.clone(), |scenario| {
            grid.locks.iter().all(|lock| *lock == NO_LOCK || grid.cell(lock, scenario).is_some())
        });
        let header = |scenario: &str| grid.column(scenario).next().map(|(header, _)| header);
        let loads = |calm: bool| -> BTreeSet<&str> {
            let headers = scenarios.iter().filter_map(|scenario| header(scenario));
            headers.filter(|header| is_calm(header) == calm).map(|header| header.load.as_str()).collect()
        };
        let both: BTreeSet<&str> = loads(true).intersection(&loads(false)).copied().collect();
        let has_both = |header: &CellHeader| !header.load.is_empty() && both.contains(header.load.as_str());
        let same_load = scenarios.iter().filter_map(|scenario| header(scenario)).any(has_both);
        let scenarios = preferred(scenarios, |scenario| header(scenario).is_some_and(has_both));
        let (calm, faulty) = scenarios.into_iter().partition(|scenario| header(scenario).is_some_and(is_calm));
        Comparable { calm, faulty, same_load }
    }

    /// Returns the cells of a lock without faults and with faults.
    pub fn cells(&self, cells: &'a [Cell], lock: &str) -> [Vec<&'a Cell>; 2] {
        [&self.calm, &self.faulty].map(|scenarios| {
            let is_in = |(header, _): &&Cell| scenarios.contains(&header.scenario.as_str());
            cells.iter().filter(|cell| cell.0.lock == lock && cell.0.applicable).filter(is_in).collect()
        })
    }

    /// Returns the names of the scenarios in one or two sentences.
    pub fn text(&self) -> String {
        let mut words = Vec::new();
        for (kind, scenarios) in [("No faults", &self.calm), ("Under faults", &self.faulty)] {
            match scenarios.len() {
                0 => {}
                1..=MOST_NAMED => {
                    let names: Vec<String> = scenarios.iter().map(|name| clipped(name, 30)).collect();
                    words.push(format!("{kind}: {}.", names.join(", ")));
                }
                more => words.push(format!("{kind}: {} scenarios.", grouped(more as u128))),
            }
        }
        if !self.same_load && !self.calm.is_empty() && !self.faulty.is_empty() {
            words.push("The two differ in more than faults: compare locks with each other.".into());
        }
        words.join(" ")
    }
}

fn is_calm(header: &CellHeader) -> bool {
    header.faults.is_empty()
}

/// Returns the scenarios that fit, or all of them if none fits.
fn preferred(all: Vec<&str>, fits: impl Fn(&str) -> bool) -> Vec<&str> {
    let fitting: Vec<&str> = all.iter().copied().filter(|scenario| fits(scenario)).collect();
    if fitting.is_empty() { all } else { fitting }
}

#[cfg(test)]
mod tests {
    use fencepost_scenarios::run::results::{CellResult, FaultLabel};

    use super::*;

    fn cell(scenario: &str, lock: &str, load: &str, faulty: bool) -> Cell {
        let faults = if faulty { vec![FaultLabel::default()] } else { Vec::new() };
        let (scenario, lock, load) = (scenario.into(), lock.into(), load.into());
        (CellHeader { scenario, lock, load, faults, applicable: true, ..CellHeader::default() }, CellResult::default())
    }

    #[test]
    fn scenarios_of_all_locks_with_the_same_load_come_before_others() {
        let everywhere = [("quiet", "a", false), ("slow", "b", false), ("crashes", "a", true), ("pauses", "c", true)];
        let mut cells = Vec::new();
        for (scenario, load, faulty) in everywhere {
            cells.extend(["one", "two"].map(|lock| cell(scenario, lock, load, faulty)));
        }
        cells.push(cell("only-one", "one", "a", true));
        let comparable = Comparable::of(&cells);
        assert_eq!((&*comparable.calm, &*comparable.faulty), (&["quiet"][..], &["crashes"][..]));
        assert_eq!(comparable.text(), "No faults: quiet. Under faults: crashes.");
        let [calm, faulty] = comparable.cells(&cells, "one");
        assert_eq!((calm.len(), faulty.len()), (1, 1));
    }

    #[test]
    fn different_loads_are_mentioned() {
        let cells = [cell("quiet", "one", "a", false), cell("pauses", "one", "b", true), cell("odd", "two", "c", true)];
        let comparable = Comparable::of(&cells[..2]);
        assert!(comparable.text().contains("differ in more than faults"), "{}", comparable.text());
        let comparable = Comparable::of(&cells);
        assert_eq!(comparable.faulty, ["pauses", "odd"], "if no scenario had all locks, all count");
    }

    #[test]
    fn a_scenario_without_the_baseline_counts() {
        let cells =
            [cell("quiet", "none", "a", false), cell("quiet", "one", "a", false), cell("cut", "one", "a", true)];
        assert_eq!(Comparable::of(&cells).faulty, ["cut"]);
    }
}

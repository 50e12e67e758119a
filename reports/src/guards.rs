//! Groups the scenarios that differ only in the guard at the store.

use std::collections::BTreeMap;

use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::results::CellHeader;

use crate::grid::{Cell, Grid};
use crate::pool::Pooled;

/// The guards, in the order of reports. Updates that check count as guards.
const ORDER: [&str; 7] = ["none", "fence-writes", "fence-reads", "claim", "owner-txn", "version", "conditional"];

/// Scenarios that differ only in the check at the store.
#[derive(Debug)]
pub struct Guards<'a> {
    /// The scenario without a guard, or else the first scenario.
    pub scenario: &'a str,
    /// The locks: the rows.
    pub locks: Vec<&'a str>,
    /// The checks at the store: the columns.
    pub columns: Vec<String>,
    cells: Vec<&'a Cell>,
}

impl<'a> Guards<'a> {
    /// Returns the setting with the most guards, if it has at least two.
    pub fn of(cells: &'a [Cell]) -> Option<Self> {
        let mut tried: BTreeMap<(&str, u16), Vec<&str>> = BTreeMap::new();
        for (header, _) in cells.iter().filter(|(header, _)| !header.setting.is_empty()) {
            if let Some(check) = check(header) {
                let checks = tried.entry((&header.setting, header.clients)).or_default();
                if !checks.contains(&check) {
                    checks.push(check);
                }
            }
        }
        let (setting, mut columns) =
            tried.into_iter().filter(|(_, checks)| checks.len() > 1).max_by_key(|(_, c)| c.len())?;
        columns.sort_by_key(|check| ORDER.iter().position(|known| known == check).unwrap_or(ORDER.len()));
        let mine = |cell: &&Cell| (cell.0.setting.as_str(), cell.0.clients) == setting && check(&cell.0).is_some();
        let cells: Vec<&Cell> = cells.iter().filter(mine).collect();
        let locks = Grid::new(cells.iter().copied()).locks;
        let plain = cells.iter().find(|(header, _)| check(header) == Some("none")).or(cells.first())?;
        let scenario = plain.0.scenario.as_str();
        Some(Guards { scenario, locks, columns: columns.into_iter().map(str::to_owned).collect(), cells })
    }

    /// Returns the cells of a lock with a guard.
    pub fn cells(&self, lock: &str, guard: &str) -> impl Iterator<Item = &'a Cell> {
        self.cells.iter().copied().filter(move |(header, _)| header.lock == lock && check(header) == Some(guard))
    }

    /// Returns the verdicts on a property for a lock with a guard.
    pub fn pooled(&self, lock: &str, guard: &str, property: Property) -> Option<Pooled<'a>> {
        Pooled::of(self.cells(lock, guard), property)
    }
}

/// Returns the check at the store: the guard, or else an update that checks. Case 2 is a comparison of its own.
fn check(header: &CellHeader) -> Option<&str> {
    match (header.guard.as_deref().unwrap_or("none"), header.update.as_deref()) {
        ("none", Some("decrement")) => None,
        ("none", Some(update @ ("version" | "conditional"))) => Some(update),
        (guard, Some("target") | None) => Some(guard),
        _ => None,
    }
}

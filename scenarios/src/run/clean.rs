//! The cells that must be clean: properties that no case may violate while the stated assumptions hold.

use std::sync::Arc;

use serde::Deserialize;

use crate::file::shipped;
use crate::file::{self, Expectation, Scenario};
use crate::property::Property;
use crate::run::cell::Cell;
use crate::run::registry::Registry;

/// The clean cells of one scenario.
#[derive(Clone, Debug)]
pub struct CleanCells {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// One cell for each lock.
    pub cells: Vec<Cell>,
    /// The properties that none of their cases violates.
    pub properties: Vec<Property>,
    /// The assumptions.
    pub assumes: String,
    /// Why the properties hold under the assumptions.
    pub why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    cell: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    scenarios: Vec<String>,
    locks: Vec<String>,
    properties: Vec<String>,
    assumes: String,
    why: String,
}

/// Reads the shipped list.
///
/// # Errors
/// If an entry is invalid, with the reason.
pub fn must_be_clean(registry: &Registry) -> Result<Vec<CleanCells>, String> {
    read(registry, shipped::MUST_BE_CLEAN)
}

/// Reads a list of clean cells. Each entry names shipped scenarios, locks that can run in them, properties that the
/// scenarios expect to hold, the assumptions and the reason. A class selects only locks that can run in a scenario.
///
/// # Errors
/// If an entry is invalid, with the reason.
pub fn read(registry: &Registry, text: &str) -> Result<Vec<CleanCells>, String> {
    let list: List = toml::from_str(text).map_err(|error| error.to_string())?;
    if list.cell.iter().any(|entry| entry.scenarios.is_empty()) {
        return Err("an entry has no scenarios".into());
    }
    let mut seen: Vec<(String, String, Property)> = Vec::new();
    let mut read = Vec::new();
    for (entry, scenario) in list.cell.iter().flat_map(|entry| entry.scenarios.iter().map(move |name| (entry, name))) {
        let clean = clean_cells(registry, entry, scenario).map_err(|why| format!("{scenario}: {why}"))?;
        for (cell, property) in clean.cells.iter().flat_map(|cell| clean.properties.iter().map(move |p| (cell, *p))) {
            let item = (scenario.clone(), cell.header.lock.clone(), property);
            if seen.contains(&item) {
                return Err(format!("{}: {} of {} is listed twice", item.0, property.name(), item.1));
            }
            seen.push(item);
        }
        read.push(clean);
    }
    Ok(read)
}

fn clean_cells(registry: &Registry, entry: &Entry, scenario: &str) -> Result<CleanCells, String> {
    let Entry { locks, properties, assumes, why, .. } = entry;
    let text = shipped::scenario(scenario).ok_or("no scenario of this name is shipped")?;
    let scenario = file::scenario(registry, scenario, text).map_err(|problems| problems[0].to_string())?;
    let scenario = Arc::new(scenario);
    let named = |name: &String| Property::named(name).ok_or(format!("no property is named {name}"));
    let properties = properties.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    if locks.is_empty() || properties.is_empty() || assumes.trim().is_empty() || why.trim().is_empty() {
        return Err("an entry needs `locks`, `properties`, `assumes` and `why`".into());
    }
    let mut runnable = Cell::all(registry, &scenario, None, &[]);
    runnable.retain(|cell| cell.header.reason.is_none());
    let names: Vec<String> = runnable.iter().map(|cell| cell.header.lock.clone()).collect();
    if let Some(lock) = locks.iter().find(|word| registry.find_lock(word).is_some() && !names.contains(word)) {
        return Err(format!("{lock} cannot run in this scenario"));
    }
    let selected = file::select_locks(registry, locks, Some(&names)).map_err(|problems| problems[0].to_string())?;
    let is_selected = |cell: &Cell| selected.contains(&cell.header.lock);
    let cells: Vec<Cell> = runnable.into_iter().filter(is_selected).collect();
    cells.iter().try_for_each(|cell| expects(&scenario, &cell.header.lock, &properties))?;
    Ok(CleanCells { scenario, cells, properties, assumes: assumes.clone(), why: why.clone() })
}

/// Checks that the scenario expects these properties to hold with this lock.
fn expects(scenario: &Scenario, lock: &str, properties: &[Property]) -> Result<(), String> {
    let expected = |property: &Property| scenario.expect.get(lock).and_then(|expected| expected.get(property));
    match properties.iter().find(|property| expected(property) != Some(&Expectation::Holds)) {
        Some(property) => Err(format!("the scenario does not expect {} to hold with {lock}", property.name())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(from: &str, to: &str) -> String {
        let right = "[[cell]]\nscenarios = ['fence-reads']\nlocks = ['lease-server']\nproperties = ['fencing']\n\
                     assumes = 'durable tokens'\nwhy = 'they grow'\n";
        assert!(read(&Registry::standard(), right).is_ok());
        assert!(right.contains(from));
        read(&Registry::standard(), &right.replace(from, to)).expect_err("the list is invalid")
    }

    #[test]
    fn the_shipped_list_is_valid() {
        let list = must_be_clean(&Registry::standard()).unwrap_or_else(|why| panic!("{why}"));
        assert!(list.iter().map(|clean| clean.cells.len()).sum::<usize>() > 150);
    }

    #[test]
    fn a_wrong_entry_is_rejected_with_the_reason() {
        assert!(rejection("fence-reads", "fence-raeds").contains("no scenario of this name"));
        assert!(rejection("'fence-reads'", "").contains("no scenarios"));
        assert!(rejection("lease-server", "leese-server").contains("no lock is named `leese-server`"));
        assert!(rejection("lease-server", "redis-set-px").contains("cannot run in this scenario"));
        assert!(rejection("'fencing'", "'fence'").contains("no property is named fence"));
        assert!(rejection("'fencing'", "'belief-exclusion'").contains("does not expect belief-exclusion"));
        assert!(rejection("durable tokens", " ").contains("an entry needs"));
        assert!(rejection("why", "reason").contains("unknown field"));
        let twice = "[[cell]]\nscenarios = ['fence-reads']\nlocks = ['lease-server', 'lease-server']\n\
                     properties = ['fencing']\nassumes = 'a'\nwhy = 'b'\n";
        assert!(read(&Registry::standard(), twice).expect_err("a cell is listed twice").contains("is listed twice"));
    }
}

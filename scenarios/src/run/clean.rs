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
    scenario: String,
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

/// Reads a list of clean cells. Each entry names a shipped scenario, locks that can run in it, properties that the
/// scenario expects to hold, the assumptions and the reason.
///
/// # Errors
/// If an entry is invalid, with the reason.
pub fn read(registry: &Registry, text: &str) -> Result<Vec<CleanCells>, String> {
    let list: List = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut seen: Vec<(String, String, Property)> = Vec::new();
    let mut read = Vec::new();
    for entry in list.cell {
        let clean = clean_cells(registry, &entry).map_err(|why| format!("{}: {why}", entry.scenario))?;
        for (cell, property) in clean.cells.iter().flat_map(|cell| clean.properties.iter().map(move |p| (cell, *p))) {
            let item = (entry.scenario.clone(), cell.header.lock.clone(), property);
            if seen.contains(&item) {
                return Err(format!("{}: {} of {} is listed twice", item.0, property.name(), item.1));
            }
            seen.push(item);
        }
        read.push(clean);
    }
    Ok(read)
}

fn clean_cells(registry: &Registry, entry: &Entry) -> Result<CleanCells, String> {
    let Entry { scenario, locks, properties, assumes, why } = entry;
    let text = shipped::scenario(scenario).ok_or("no scenario of this name is shipped")?;
    let scenario = file::scenario(registry, scenario, text).map_err(|problems| problems[0].to_string())?;
    let scenario = Arc::new(scenario);
    let named = |name: &String| Property::named(name).ok_or(format!("no property is named {name}"));
    let properties = properties.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    if locks.is_empty() || properties.is_empty() || assumes.trim().is_empty() || why.trim().is_empty() {
        return Err("an entry needs `locks`, `properties`, `assumes` and `why`".into());
    }
    let cells = locks.iter().map(|lock| cell(registry, &scenario, lock, &properties)).collect::<Result<_, _>>()?;
    Ok(CleanCells { scenario, cells, properties, assumes: assumes.clone(), why: why.clone() })
}

fn cell(registry: &Registry, scenario: &Arc<Scenario>, lock: &str, properties: &[Property]) -> Result<Cell, String> {
    let entry = registry.lock(lock).ok_or(format!("no lock is named {lock}"))?;
    if scenario.locks.as_ref().is_some_and(|locks| !locks.iter().any(|listed| listed == lock)) {
        return Err(format!("the scenario does not list {lock}"));
    }
    let cell = Cell::new(scenario, entry, &[]);
    if let Some(reason) = &cell.header.reason {
        return Err(format!("{lock} cannot run in this scenario: {reason}"));
    }
    let holds = |property: &&Property| {
        scenario.expect.get(lock).and_then(|expected| expected.get(property)) == Some(&Expectation::Holds)
    };
    match properties.iter().find(|property| !holds(property)) {
        Some(property) => Err(format!("the scenario does not expect {} to hold with {lock}", property.name())),
        None => Ok(cell),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(from: &str, to: &str) -> String {
        let right = "[[cell]]\nscenario = 'fence-reads'\nlocks = ['lease-server']\nproperties = ['fencing']\n\
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
        assert!(rejection("lease-server", "leese-server").contains("no lock is named leese-server"));
        assert!(rejection("lease-server", "redis-set-px").contains("cannot run in this scenario"));
        assert!(rejection("'fencing'", "'fence'").contains("no property is named fence"));
        assert!(rejection("'fencing'", "'belief-exclusion'").contains("does not expect belief-exclusion"));
        assert!(rejection("durable tokens", " ").contains("an entry needs"));
        assert!(rejection("why", "reason").contains("unknown field"));
        let twice = "[[cell]]\nscenario = 'fence-reads'\nlocks = ['lease-server', 'lease-server']\n\
                     properties = ['fencing']\nassumes = 'a'\nwhy = 'b'\n";
        assert!(read(&Registry::standard(), twice).expect_err("a cell is listed twice").contains("is listed twice"));
    }
}

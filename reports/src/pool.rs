//! Pools the verdicts of a lock over several scenarios.

use std::collections::{BTreeMap, BTreeSet};

use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::results::{CellHeader, PropertyCount};
use fencepost_sim::faults::{self, FaultFamily};

use crate::grid::Cell;

/// The baseline without any lock.
pub const NO_LOCK: &str = "none";

/// The measure by which cases are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Cases with any harm.
    Harm,
    /// Cases that violated this property.
    Property(Property),
}

impl Measure {
    /// Returns the name used in tables.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Harm => "harm",
            Measure::Property(property) => property.name(),
        }
    }

    fn count(self, (_, result): &Cell) -> PropertyCount {
        match self {
            Measure::Harm => result.harm(),
            Measure::Property(property) => result.property(property),
        }
    }
}

impl From<Property> for Measure {
    fn from(property: Property) -> Self {
        Measure::Property(property)
    }
}

/// The pooled verdicts of several cells of one lock.
#[derive(Clone, Copy, Debug)]
pub struct Pooled<'a> {
    /// The measure.
    pub measure: Measure,
    /// The cases of all cells.
    pub count: PropertyCount,
    /// The number of scenarios with a decided case.
    pub scenarios: usize,
    /// The number of scenarios with a violated case.
    pub broken: usize,
    /// The cell with the highest rate of violations, or `None` if there is no violation.
    pub worst: Option<&'a Cell>,
}

impl<'a> Pooled<'a> {
    /// Pools the applicable cells. Returns `None` if the measure applies to none of them.
    pub fn of(cells: impl IntoIterator<Item = &'a Cell>, measure: impl Into<Measure>) -> Option<Self> {
        let measure = measure.into();
        let mut pooled = Pooled { measure, count: PropertyCount::default(), scenarios: 0, broken: 0, worst: None };
        let mut highest = 0.0;
        for cell in cells.into_iter().filter(|(header, _)| header.applicable) {
            let count = measure.count(cell);
            pooled.scenarios += usize::from(count.decided() > 0);
            pooled.broken += usize::from(count.violated > 0);
            pooled.count.merge(&count);
            if let Some(rate) = count.rate().filter(|rate| *rate > highest) {
                (highest, pooled.worst) = (rate, Some(cell));
            }
        }
        pooled.count.is_applicable().then_some(pooled)
    }

    /// Returns the rate of violations, or 0 if no case is decided.
    pub fn rate(&self) -> f64 {
        self.count.rate().unwrap_or(0.0)
    }
}

/// The group of a scenario in reports, by the families of its faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultGroup {
    /// No fault.
    None,
    /// Faults of one family only.
    Family(FaultFamily),
    /// Faults of several families.
    Several,
}

impl FaultGroup {
    /// Returns the group of a cell.
    pub fn of_cell(header: &CellHeader) -> FaultGroup {
        let family = |kind: &str| faults::standard(kind).map_or(FaultFamily::Other, |info| info.family);
        let families: BTreeSet<FaultFamily> = header.faults.iter().map(|fault| family(&fault.kind)).collect();
        match (families.first(), families.len()) {
            (None, _) => FaultGroup::None,
            (Some(family), 1) => FaultGroup::Family(*family),
            _ => FaultGroup::Several,
        }
    }

    /// Returns the groups of these cells, in the order of reports.
    pub fn among<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Vec<FaultGroup> {
        let applicable = cells.into_iter().filter(|(header, _)| header.applicable);
        let groups: BTreeSet<FaultGroup> = applicable.map(|(header, _)| FaultGroup::of_cell(header)).collect();
        groups.into_iter().collect()
    }

    /// Returns the name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            FaultGroup::None => "no fault",
            FaultGroup::Family(family) => family.name(),
            FaultGroup::Several => "several",
        }
    }
}

/// Returns the cells that show the lock itself: without a guard at the store, and not part of a parameter sweep.
pub fn unguarded_cells(cells: &[Cell]) -> Vec<&Cell> {
    without_sweeps(cells).into_iter().filter(|(header, _)| is_unguarded(header)).collect()
}

/// Returns all cells except those of parameter sweeps, which would count the same setting several times. Includes the
/// sweeps if no other scenario shows the lock itself under faults.
pub fn without_sweeps(cells: &[Cell]) -> Vec<&Cell> {
    let swept = swept_scenarios(cells);
    let others: Vec<&Cell> = cells.iter().filter(|(header, _)| !swept.contains(header.scenario.as_str())).collect();
    let shows = |(header, _): &&&Cell| header.applicable && is_unguarded(header) && !header.faults.is_empty();
    if others.iter().any(|cell| shows(&cell)) { others } else { cells.iter().collect() }
}

/// Returns the scenarios that differ in one number only: the length of the pause or the number of clients.
fn swept_scenarios(cells: &[Cell]) -> BTreeSet<&str> {
    let mut pauses: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut client_counts: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for (header, _) in cells.iter().filter(|(header, _)| is_unguarded(header)) {
        let scenario = header.scenario.as_str();
        if let Some(dose) = header.dose.filter(|_| !header.load.is_empty()) {
            pauses.entry(&header.load).or_default().entry(scenario).or_insert(dose.to_bits());
        }
        if !header.setting.is_empty() {
            client_counts.entry(&header.setting).or_default().insert(scenario, header.clients.into());
        }
    }
    let differs = |scenarios: &BTreeMap<&str, u64>| scenarios.values().collect::<BTreeSet<_>>().len() > 1;
    let all = pauses.into_values().chain(client_counts.into_values()).filter(differs);
    all.flat_map(BTreeMap::into_keys).collect()
}

/// Returns whether the store has no guard.
pub fn is_unguarded(header: &CellHeader) -> bool {
    let unguarded = header.guard.as_deref().is_none_or(|guard| guard == "none");
    unguarded && header.update.as_deref().is_none_or(|update| matches!(update, "target" | "decrement"))
}

#[cfg(test)]
mod tests {
    use fencepost_scenarios::run::results::{CellResult, FaultLabel};

    use super::*;

    #[test]
    fn kinds_of_one_family_form_one_group() {
        let header = |kinds: &[&str]| CellHeader {
            faults: kinds.iter().map(|kind| FaultLabel { name: "f".into(), kind: (*kind).into() }).collect(),
            ..CellHeader::default()
        };
        let of = |kinds: &[&str]| FaultGroup::of_cell(&header(kinds)).name();
        assert_eq!(
            [of(&[]), of(&["clock-step", "clock-rate"]), of(&["pause", "crash"])],
            ["no fault", "clock", "several"]
        );
        assert_eq!(of(&["<script>"]), "other");
    }

    fn names(cells: &[Cell]) -> Vec<&str> {
        unguarded_cells(cells).into_iter().map(|(header, _)| header.scenario.as_str()).collect()
    }

    fn pause(scenario: &str, dose: Option<f64>) -> Cell {
        let faults = vec![FaultLabel { name: "gc".into(), kind: "pause".into() }];
        let header = CellHeader { scenario: scenario.into(), dose, faults, applicable: true, ..CellHeader::default() };
        (CellHeader { load: "same".into(), setting: scenario.into(), clients: 5, ..header }, CellResult::default())
    }

    #[test]
    fn one_pause_of_fixed_length_is_not_a_sweep() {
        let cells = [pause("mine", Some(1.5)), pause("other", None)];
        assert_eq!(names(&cells), ["mine", "other"]);
    }

    #[test]
    fn sweeps_are_excluded_for_all_locks() {
        let mut cells = vec![pause("dose-1", Some(1.0)), pause("dose-2", Some(2.0)), pause("other", None)];
        cells.push(pause("dose-1", None));
        assert_eq!(names(&cells), ["other"], "a lock without expiry has no dose, and is excluded too");
        assert_eq!(names(&cells[..2]), ["dose-1", "dose-2"], "no other scenario exists");
    }

    #[test]
    fn different_numbers_of_clients_are_a_sweep() {
        let mut cells = [pause("clients-2", None), pause("clients-20", None), pause("other", None)];
        for cell in &mut cells[..2] {
            cell.0.setting = "clients".into();
        }
        assert_eq!(names(&cells), ["clients-2", "clients-20", "other"], "both have the same number of clients");
        cells[1].0.clients = 20;
        assert_eq!(names(&cells), ["other"]);
    }

    #[test]
    fn pooling_no_cells_gives_none() {
        assert!(Pooled::of([], Property::NoOversell).is_none());
        assert!(Pooled::of([], Measure::Harm).is_none());
    }
}

//! Selects the most interesting violation of a case or a cell.

use crate::file::Expectation;
use crate::property::{Property, Severity, Verdict};
use crate::run::case_result::CaseResult;
use crate::run::cell::Cell;
use crate::run::results::CellResult;

/// Returns the properties that a search tries to violate: the named ones, otherwise those that the scenario expects to
/// hold, otherwise those whose violation loses data.
pub fn wanted(cell: &Cell, named: &[Property]) -> Vec<Property> {
    if !named.is_empty() {
        return named.to_vec();
    }
    let expected = Property::ALL.into_iter().filter(|property| expects(cell, *property, Expectation::Holds));
    let expected: Vec<Property> = expected.collect();
    if !expected.is_empty() {
        return expected;
    }
    Property::ALL.into_iter().filter(|property| property.severity() == Severity::DataLoss).collect()
}

/// Returns the most interesting violation of a case, or `None` if the case violates no named property.
pub fn of_case(cell: &Cell, named: &[Property], result: &CaseResult) -> Option<Property> {
    let violated = Property::ALL.into_iter().filter(|property| result.verdict(*property) == Verdict::Violated);
    let of_interest = violated.filter(|property| named.is_empty() || named.contains(property));
    of_interest.min_by_key(|property| (rank(cell, *property), *property))
}

/// Returns the most interesting violation of a cell, and its first seed. Violations expected of every lock count only
/// if named.
pub fn of_cell(cell: &Cell, named: &[Property], result: &CellResult) -> Option<(Property, u64)> {
    let violated = result.properties().filter_map(|(property, count)| Some((property, count.first_seed?)));
    let of_interest = violated.filter(|(property, _)| match named {
        [] => property.severity() != Severity::Expected || expects(cell, *property, Expectation::Holds),
        named => named.contains(property),
    });
    of_interest.min_by_key(|(property, seed)| (rank(cell, *property), *seed, *property))
}

/// Returns the rank of a violation; the lowest rank is the most interesting. All shards of a run use the same ranks.
pub fn rank(cell: &Cell, property: Property) -> u8 {
    let pinned = cell.scenario.case.as_ref().and_then(|case| case.expect.get(&property));
    // First properties that the scenario expects to hold, then those that a reproducer pins, then by severity.
    match property {
        _ if expects(cell, property, Expectation::Holds) || pinned == Some(&Expectation::Holds) => 0,
        _ if pinned.is_some() => 1,
        _ => 2 + property.severity() as u8,
    }
}

/// Returns whether the scenario has this expectation for the property and the cell's lock.
fn expects(cell: &Cell, property: Property, what: Expectation) -> bool {
    let scenario = &cell.scenario;
    let of_lock = scenario.expect.get(&cell.header.lock).and_then(|expected| expected.get(&property));
    of_lock == Some(&what)
}

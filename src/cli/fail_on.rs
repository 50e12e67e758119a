//! Decides which violations make the program exit with 100.

use fencepost_scenarios::file::Expectation;
use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::run::case_result::CaseResult;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::results::CellResult;

use super::exit::Failure;
use super::selection::unknown;

/// The properties in `--fail-on`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FailOn(Vec<Property>);

/// A violation that makes the program exit with 100.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailingViolation {
    pub(super) cell: usize,
    pub(super) property: Property,
    /// The first seed with the violation.
    pub(super) seed: u64,
    pub(super) reason: &'static str,
}

pub(super) const NAMED: &str = "named by --fail-on";
pub(super) const EXPECTED: &str = "declared to hold by [expect]";

impl FailOn {
    /// Reads property names, or `any`.
    pub(super) fn read(names: &[String]) -> Result<Self, Failure> {
        if names.iter().any(|name| name == "any") {
            return Ok(FailOn(Property::ALL.to_vec()));
        }
        let known: Vec<&str> = Property::ALL.iter().map(|property| property.name()).chain(["any"]).collect();
        let named = names.iter().map(|name| Property::named(name).ok_or_else(|| unknown("property", name, &known)));
        Ok(FailOn(named.collect::<Result<_, _>>()?))
    }

    pub(super) fn names(&self, property: Property) -> bool {
        self.0.contains(&property)
    }

    /// Returns the named properties.
    pub(super) fn properties(&self) -> &[Property] {
        &self.0
    }

    /// Returns these properties, or all properties if there are none.
    pub(super) fn or_any(self) -> Self {
        if self.0.is_empty() { FailOn(Property::ALL.to_vec()) } else { self }
    }

    pub(super) fn is_violated_in(&self, result: &CaseResult) -> bool {
        self.0.iter().any(|property| result.verdict(*property) == Verdict::Violated)
    }

    /// Returns the argument that [`FailOn::read`] parses.
    pub(super) fn text(&self) -> String {
        if self.0.len() == Property::ALL.len() {
            return "any".into();
        }
        self.0.iter().map(|property| property.name()).collect::<Vec<_>>().join(",")
    }

    /// Returns why a violation of this property in this cell makes the program fail, or `None` if it does not.
    pub(super) fn reason(&self, cell: &Cell, property: Property) -> Option<&'static str> {
        if self.names(property) {
            return Some(NAMED);
        }
        let expected = cell.scenario.expect.get(&cell.header.lock).and_then(|expected| expected.get(&property));
        (expected == Some(&Expectation::Holds)).then_some(EXPECTED)
    }

    /// Returns the violations that make a run fail, in the order of cells.
    pub(super) fn failing_violations(&self, cells: &[Cell], results: &[CellResult]) -> Vec<FailingViolation> {
        let mut found = Vec::new();
        for (index, (cell, result)) in cells.iter().zip(results).enumerate() {
            for (property, count) in result.properties() {
                if let (Some(reason), Some(seed)) = (self.reason(cell, property), count.first_seed) {
                    found.push(FailingViolation { cell: index, property, seed, reason });
                }
            }
        }
        found
    }
}

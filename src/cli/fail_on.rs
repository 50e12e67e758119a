//! Which violations make the program fail.

use fencepost_scenarios::file::Expectation;
use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::outcome::Outcome;
use fencepost_scenarios::run::results::CellResult;

use super::exit::Failure;
use super::selection::unknown;

/// The properties that `--fail-on` names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FailOn(Vec<Property>);

/// A violation that makes the program fail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken {
    pub(super) cell: usize,
    pub(super) property: Property,
    /// The first seed that broke it.
    pub(super) seed: u64,
    pub(super) because: &'static str,
}

pub(super) const NAMED: &str = "--fail-on names it";
pub(super) const EXPECTED: &str = "[expect] says that it holds";

impl FailOn {
    /// Reads property names, or `any`.
    pub(super) fn read(words: &[String]) -> Result<Self, Failure> {
        if words.iter().any(|word| word == "any") {
            return Ok(FailOn(Property::ALL.to_vec()));
        }
        let known: Vec<&str> = Property::ALL.iter().map(|property| property.name()).chain(["any"]).collect();
        let named = words.iter().map(|word| Property::named(word).ok_or_else(|| unknown("property", word, &known)));
        Ok(FailOn(named.collect::<Result<_, _>>()?))
    }

    pub(super) fn names(&self, property: Property) -> bool {
        self.0.contains(&property)
    }

    /// The properties.
    pub(super) fn properties(&self) -> &[Property] {
        &self.0
    }

    /// These properties, or all where none is named.
    pub(super) fn or_any(self) -> Self {
        if self.0.is_empty() { FailOn(Property::ALL.to_vec()) } else { self }
    }

    pub(super) fn is_violated_in(&self, outcome: &Outcome) -> bool {
        self.0.iter().any(|property| outcome.verdict(*property) == Verdict::Violated)
    }

    /// As text: what [`FailOn::read`] reads.
    pub(super) fn text(&self) -> String {
        if self.0.len() == Property::ALL.len() {
            return "any".into();
        }
        self.0.iter().map(|property| property.name()).collect::<Vec<_>>().join(",")
    }

    /// Why a violation of this property in this cell fails, if it does.
    pub(super) fn reason(&self, cell: &Cell, property: Property) -> Option<&'static str> {
        if self.names(property) {
            return Some(NAMED);
        }
        let expected = cell.scenario.expect.get(&cell.header.lock).and_then(|expected| expected.get(&property));
        (expected == Some(&Expectation::Holds)).then_some(EXPECTED)
    }

    /// All that makes a run fail, cell by cell.
    pub(super) fn broken(&self, cells: &[Cell], results: &[CellResult]) -> Vec<Broken> {
        let mut broken = Vec::new();
        for (index, (cell, result)) in cells.iter().zip(results).enumerate() {
            for (property, count) in result.properties() {
                if let (Some(because), Some(seed)) = (self.reason(cell, property), count.first_seed) {
                    broken.push(Broken { cell: index, property, seed, because });
                }
            }
        }
        broken
    }
}

//! Runs the cases of one cell on demand.

use std::cell::{Ref, RefCell};
use std::thread;

use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::case_result::CaseResult;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::results::CellResult;

/// The cases of one cell, run when an assertion needs them. An assertion that expects violations stops when it has
/// found them; every other assertion runs all cases.
pub struct Cases {
    cell: Cell,
    seeds: u64,
    ran: RefCell<Ran>,
}

#[derive(Default)]
struct Ran {
    sum: CellResult,
    results: Vec<CaseResult>,
}

impl Cases {
    /// Creates the cases of seeds `0..seeds` without running them.
    pub fn new(cell: Cell, seeds: u64) -> Self {
        Cases { cell, seeds, ran: RefCell::default() }
    }

    /// Returns the results of all cases, by seed.
    pub fn results(&self) -> Ref<'_, [CaseResult]> {
        self.run_all();
        Ref::map(self.ran.borrow(), |ran| ran.results.as_slice())
    }

    /// Returns the summed results of all cases.
    pub fn sum(&self) -> Ref<'_, CellResult> {
        self.run_all();
        Ref::map(self.ran.borrow(), |ran| &ran.sum)
    }

    /// Returns the number of cases that violate the property.
    pub fn violated(&self, property: Property) -> u64 {
        self.sum().property(property).violated
    }

    /// Returns the number of cases in which the property is decided.
    pub fn decided(&self, property: Property) -> u64 {
        self.sum().property(property).decided()
    }

    /// Returns the sum of a metric over all cases.
    ///
    /// # Panics
    /// If no case reports it.
    pub fn total(&self, metric: &str) -> u128 {
        self.sum().metric(metric).unwrap_or_else(|| panic!("{}: no metric {metric}", self.name())).total()
    }

    /// Asserts that each of these properties is violated in at least one case.
    #[track_caller]
    pub fn violates(&self, properties: &[Property]) -> &Self {
        let missing = |sum: &CellResult| properties.iter().copied().find(|p| sum.property(*p).violated == 0);
        self.run_until(|sum| missing(sum).is_none());
        if let Some(property) = missing(&self.ran.borrow().sum) {
            panic!("{}: no case of {} violates {}", self.name(), self.seeds, property.name());
        }
        self
    }

    /// Asserts that no case violates any of these properties.
    #[track_caller]
    pub fn never_violates(&self, properties: &[Property]) -> &Self {
        for property in properties {
            let first = self.sum().property(*property).first_seed;
            assert_eq!(first, None, "{}: {} is violated, first at this seed", self.name(), property.name());
        }
        self
    }

    /// Asserts that every property that applies is decided and holds in all cases.
    #[track_caller]
    pub fn holds_everything(&self) {
        self.never_violates(&Property::ALL);
        for (property, count) in self.sum().properties() {
            assert_eq!(count.unknown, 0, "{}: {} is unknown", self.name(), property.name());
        }
    }

    fn name(&self) -> String {
        format!("{} in {}", self.cell.header.lock, self.cell.header.scenario)
    }

    fn run_all(&self) {
        self.run_until(|_| false);
    }

    fn run_until(&self, enough: impl Fn(&CellResult) -> bool) {
        let mut ran = self.ran.borrow_mut();
        while (ran.results.len() as u64) < self.seeds && !enough(&ran.sum) {
            let seed = ran.results.len() as u64;
            let _guard = PrintCaseOnPanic(&self.cell, seed);
            let result = case::run(&self.cell, seed, None).result;
            ran.sum.add(seed, &result);
            ran.results.push(result);
        }
    }
}

/// Prints the name of the case if it panics.
struct PrintCaseOnPanic<'a>(&'a Cell, u64);

impl Drop for PrintCaseOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("panicked in case {}", self.0.case_name(self.1));
        }
    }
}

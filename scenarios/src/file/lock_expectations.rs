//! Expected verdicts of locks that differ from their classes: the `expectations.toml` in each lock's folder.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::catalog::Catalog;
use super::expect::Expectation;
use super::problem::{Problem, Report};
use super::table::Table;
use super::toml_table;
use super::words::quoted;
use crate::property::Property;

/// The entries of all locks, by scenario.
#[derive(Clone, Debug, Default)]
pub(crate) struct LockExpectations(BTreeMap<String, Vec<LockExpectation>>);

/// The expected verdict of one lock on one property in one scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LockExpectation {
    pub lock: &'static str,
    pub property: Property,
    /// `None` for `free`: any verdict is allowed.
    pub expected: Option<Expectation>,
}

/// The file of one lock.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Groups {
    expect: Vec<Group>,
}

/// One `[[expect]]`: the differences that have one reason. Each verdict maps properties to scenarios.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    reason: Spanned<String>,
    #[serde(default)]
    holds: Scenarios,
    #[serde(default)]
    violated: Scenarios,
    #[serde(default)]
    free: Scenarios,
}

/// Scenarios by property.
type Scenarios = BTreeMap<Property, Vec<Spanned<String>>>;

impl LockExpectations {
    /// Reads the files of all locks.
    ///
    /// # Errors
    /// The problems of the first file with an error.
    pub fn read(catalog: &Catalog) -> Result<Self, Vec<Problem>> {
        let mut all = LockExpectations::default();
        for lock in catalog.lock_formats() {
            all.add(lock.name(), lock.info.expectations)?;
        }
        Ok(all)
    }

    /// Returns the entries for a scenario.
    pub fn of_scenario(&self, scenario: &str) -> &[LockExpectation] {
        self.0.get(scenario).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, lock: &'static str, text: &str) -> Result<(), Vec<Problem>> {
        let mut report = Report::new(&format!("expectations of `{lock}`"), text);
        if let Some(items) = toml_table(&mut report, text) {
            let root = Table { name: "this file".into(), span: 0..0, items };
            let file = root.read_keys::<Groups>(&mut report, &[]).unwrap_or_default();
            file.expect.into_iter().for_each(|group| self.add_group(&mut report, lock, group));
        }
        report.conclude(Some(()))
    }

    fn add_group(&mut self, report: &mut Report, lock: &'static str, group: Group) {
        if group.reason.get_ref().trim().is_empty() {
            report.add(group.reason.span(), "`reason` is empty", "explain why this lock differs from its classes");
        }
        let lists = [(group.holds, Some(Expectation::Holds)), (group.violated, Some(Expectation::Violated))];
        for (properties, expected) in lists.into_iter().chain([(group.free, None)]) {
            for (property, scenario) in properties.into_iter().flat_map(|(p, all)| all.into_iter().map(move |s| (p, s)))
            {
                let entries = self.0.entry(scenario.get_ref().clone()).or_default();
                if entries.iter().any(|earlier| earlier.lock == lock && earlier.property == property) {
                    let (property, name) = (quoted(property.name()), quoted(scenario.get_ref()));
                    report.add(scenario.span(), format!("{property} has two entries for {name}"), "keep one of them");
                }
                entries.push(LockExpectation { lock, property, expected });
            }
        }
    }
}

//! The properties that cases are checked for: a table with one row and one checker module per property.
//!
//! To add a property, write `property/NAME.rs`, declare the module here, and add a row to the table.

mod belief_exclusion;
mod consistent;
mod effect_exclusion;
mod fencing;
mod fifo;
mod grant_exclusion;
mod linearizable;
mod no_duplicate;
mod no_lost_update;
mod no_oversell;
mod owner_release;
mod progress;
mod reentrancy;
mod takeover;
#[cfg(test)]
mod two_resources;
mod validity_exclusion;

use fencepost_models::history::Event;
use fencepost_sim::SimTime;
use serde::{Deserialize, Serialize};

use self::Severity::{BrokenGuarantee, DataLoss, Expected, StaleWrite};
use crate::check::{CaseSpec, CheckContext, Findings, PropertyCheck};
use crate::metrics::Tally;

/// The result of checking one case for one property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The case violated the property at least once.
    Violated,
    /// The case did not violate the property, but ended or exhausted its budget before this was certain.
    Unknown,
    /// The case satisfied the property.
    Holds,
    /// The property does not apply to this lock or workload.
    NotApplicable,
}

/// The severity of a violation, most severe first. Properties of equal severity rank by their order in
/// [`Property::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The workload's data is wrong.
    DataLoss,
    /// The store accepted a write that it should not have: data was at risk.
    StaleWrite,
    /// The lock broke one of its guarantees.
    BrokenGuarantee,
    /// Every lock with a lease does this if a holder pauses for too long. Reports show it but do not count it as a
    /// failure.
    Expected,
}

/// One row of the table of properties.
struct Row {
    name: &'static str,
    requirement: &'static str,
    severity: Severity,
    about: &'static str,
    violated_if: &'static str,
    not_applicable: &'static str,
}

/// Declares the properties, in the order used by reports and results. Each row names the module of its checker.
/// Checkers are struct fields, not boxed traits, because they run at every event and most cost one comparison.
macro_rules! properties {
    ($($name:ident in $module:ident { $($field:ident: $value:expr,)+ })+) => {
        /// A property that cases are checked for. Non-exhaustive, so adding a row does not break matches in other
        /// crates.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Property { $(#[allow(missing_docs, reason = "see the table row")] $name,)+ }

        impl Property {
            /// All properties, in the order used by reports.
            pub const ALL: [Property; ROWS.len()] = [$(Property::$name,)+];
        }

        const ROWS: &[Row] = &[$(Row { $($field: $value,)+ },)+];

        /// The checkers of one case; `None` for properties that do not apply to it.
        pub(crate) struct PropertyCheckers { $($module: Option<PropertyCheck<$module::$name>>,)+ }

        impl PropertyCheckers {
            pub(crate) fn new(case: &CaseSpec) -> Self {
                PropertyCheckers { $($module: PropertyCheck::new(Property::$name, case),)+ }
            }

            pub(crate) fn observe(&mut self, context: &CheckContext, event: &Event, tally: &mut Tally) {
                $(if let Some(checker) = &mut self.$module {
                    checker.observe(context, event, tally);
                })+
            }

            pub(crate) fn open_until(&self) -> Option<SimTime> {
                let mut latest = None;
                $(latest = latest.max(self.$module.as_ref().and_then(|checker| checker.open_until()));)+
                latest
            }

            pub(crate) fn finish(self, context: &CheckContext, tally: &mut Tally, findings: &mut Findings) {
                $(match self.$module {
                    Some(checker) => checker.finish(context, tally, findings),
                    None => findings.verdicts.push((Property::$name, Verdict::NotApplicable)),
                })+
            }
        }
    };
}

properties! {
    GrantExclusion in grant_exclusion {
        name: "grant-exclusion",
        requirement: "exclusive",
        severity: BrokenGuarantee,
        about: "the service never has two grants on record at once",
        violated_if: "two Records overlap",
        not_applicable: "no grants, or no service",
    }
    BeliefExclusion in belief_exclusion {
        name: "belief-exclusion",
        requirement: "exclusive",
        severity: Expected,
        about: "no two clients believe at once that they hold the lock",
        violated_if: "two Beliefs overlap",
        not_applicable: "no grants",
    }
    ValidityExclusion in validity_exclusion {
        name: "validity-exclusion",
        requirement: "exclusive",
        severity: BrokenGuarantee,
        about: "no two grants are valid at once, by the validity that the lock itself advertises",
        violated_if: "two Validities overlap",
        not_applicable: "no grants, or no advertised validity",
    }
    EffectExclusion in effect_exclusion {
        name: "effect-exclusion",
        requirement: "exclusive",
        severity: StaleWrite,
        about: "the store accepts no write of a grant after an operation of a later grant",
        violated_if: "a write of a grant is accepted after an accepted operation of a higher-ranked grant",
        not_applicable: "no grants",
    }
    Fencing in fencing {
        name: "fencing",
        requirement: "exclusive",
        severity: BrokenGuarantee,
        about: "tokens increase from grant to grant, and no guard refuses the newest grant",
        violated_if: "a later grant's token is not higher than an earlier one's, or a fence guard refuses the newest grant",
        not_applicable: "no grants, or no tokens",
    }
    OwnerRelease in owner_release {
        name: "owner-release",
        requirement: "exclusive",
        severity: BrokenGuarantee,
        about: "a release never ends another client's grant",
        violated_if: "a release that was invoked for one grant ends another",
        not_applicable: "no grants, or no release",
    }
    Reentrancy in reentrancy {
        name: "reentrancy",
        requirement: "reentrant",
        severity: BrokenGuarantee,
        about: "a nested acquire behaves as the lock's documentation says",
        violated_if: "a nested acquire or release behaves differently from the declared class",
        not_applicable: "no nested acquire",
    }
    Takeover in takeover {
        name: "takeover",
        requirement: "avoids deadlock",
        severity: BrokenGuarantee,
        about: "after a holder's crash a waiter gets the lock within the lock's own bound",
        violated_if: "a holder crashes, a qualified waiter waits throughout, and the lock is not granted within the \
                      bound",
        not_applicable: "no client crashed while it held the lock",
    }
    Progress in progress {
        name: "progress",
        requirement: "highly available",
        severity: BrokenGuarantee,
        about: "once all faults are healed the lock can be acquired within the lock's own bound",
        violated_if: "after healing no client acquires within the bound, or two clients wait for each other beyond it",
        not_applicable: "never",
    }
    Fifo in fifo {
        name: "fifo",
        requirement: "order",
        severity: BrokenGuarantee,
        about: "no waiter in the service's queue is overtaken",
        violated_if: "the lock is granted while a waiter that was enqueued earlier is still in the queue",
        not_applicable: "no grants, or no promised order",
    }
    NoLostUpdate in no_lost_update {
        name: "no-lost-update",
        requirement: "workload",
        severity: DataLoss,
        about: "no acknowledged update is missing at the end",
        violated_if: "an acknowledged update is missing: overwritten from an older state, or rolled back by the store",
        not_applicable: "no shared state",
    }
    NoOversell in no_oversell {
        name: "no-oversell",
        requirement: "workload",
        severity: DataLoss,
        about: "no more units are sold than there were in stock",
        violated_if: "the units of acknowledged orders, each counted once, exceed the initial stock",
        not_applicable: "no stock",
    }
    NoDuplicate in no_duplicate {
        name: "no-duplicate",
        requirement: "workload",
        severity: DataLoss,
        about: "no order or event takes effect twice",
        violated_if: "one order or event takes effect more than once",
        not_applicable: "no effects",
    }
    Consistent in consistent {
        name: "consistent",
        requirement: "workload",
        severity: DataLoss,
        about: "the sum of the accounts is the same at the end as at the start",
        violated_if: "the final sum of the accounts differs from the initial one",
        not_applicable: "no accounts",
    }
    Linearizable in linearizable {
        name: "linearizable",
        requirement: "exclusive",
        severity: BrokenGuarantee,
        about: "the operations on the lock, including expiries, have an order that a single lock allows",
        violated_if: "the operations, including expiries by the service, have no legal order",
        not_applicable: "no grants, or a service without consensus",
    }
}

impl Property {
    /// Returns the name used in files, flags and reports.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns the requirement that the property measures.
    pub fn requirement(self) -> &'static str {
        self.row().requirement
    }

    /// Returns the severity of a violation.
    pub fn severity(self) -> Severity {
        self.row().severity
    }

    /// Describes what holds if the property is not violated, as a clause.
    pub fn about(self) -> &'static str {
        self.row().about
    }

    /// Defines when a case violates the property, as a clause.
    pub fn violated_if(self) -> &'static str {
        self.row().violated_if
    }

    /// Describes when the property does not apply, as the rest of "n/a if there is or are …".
    pub fn not_applicable(self) -> &'static str {
        self.row().not_applicable
    }

    /// Returns the property with this name.
    pub fn named(name: &str) -> Option<Property> {
        Property::ALL.into_iter().find(|property| property.name() == name)
    }

    /// Returns whether a violation means harm at the store: lost data, or an accepted write that put data at risk.
    pub fn is_harm(self) -> bool {
        self.severity() <= StaleWrite
    }

    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }
}

impl Verdict {
    /// Returns the name used in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Violated => "violated",
            Verdict::Unknown => "unknown",
            Verdict::Holds => "holds",
            Verdict::NotApplicable => "not-applicable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_resolve_and_match_the_serialized_form() {
        for property in Property::ALL {
            assert_eq!(Property::named(property.name()), Some(property));
            assert_eq!(serde_json::to_value(property).unwrap(), property.name());
        }
        assert_eq!(Property::named("exclusive"), None);
    }

    /// Results of earlier versions are read by position and by name, so new properties must be added at the end.
    #[test]
    fn the_order_of_results_is_stable() {
        let first_and_last = [Property::ALL[0], Property::ALL[3], Property::ALL[14]];
        assert_eq!(first_and_last.map(Property::name), ["grant-exclusion", "effect-exclusion", "linearizable"]);
    }

    #[test]
    fn only_data_loss_and_stale_writes_are_harm() {
        let harm: Vec<&str> = Property::ALL.into_iter().filter(|p| p.is_harm()).map(Property::name).collect();
        assert_eq!(harm, ["effect-exclusion", "no-lost-update", "no-oversell", "no-duplicate", "consistent"]);
        assert!(DataLoss < StaleWrite && StaleWrite < BrokenGuarantee && BrokenGuarantee < Expected);
    }

    #[test]
    fn exactly_the_workload_properties_mean_data_loss() {
        for property in Property::ALL {
            assert_eq!(property.severity() == DataLoss, property.requirement() == "workload", "{property:?}");
        }
    }

    #[test]
    fn every_property_has_a_unique_clause() {
        for property in Property::ALL {
            let same = Property::ALL.into_iter().filter(|other| other.about() == property.about());
            assert_eq!(same.count(), 1, "{property:?}");
        }
    }

    #[test]
    fn the_properties_page_has_every_row() {
        let page = include_str!("../../../docs/properties.md");
        for property in Property::ALL {
            let (name, requirement) = (property.name(), property.requirement());
            let row = format!(
                "| [`{name}`](#{name}) | {requirement} | {} | {} |",
                property.violated_if(),
                property.not_applicable()
            );
            assert!(page.contains(&row), "docs/properties.md lacks this row:\n{row}");
        }
    }

    #[test]
    fn verdicts_have_the_names_used_in_results() {
        let verdicts = [Verdict::Violated, Verdict::Unknown, Verdict::Holds, Verdict::NotApplicable];
        assert_eq!(verdicts.map(Verdict::name), ["violated", "unknown", "holds", "not-applicable"]);
    }
}

//! The properties that cases are checked for: one table, with one row per property, and one checker file per row.
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
    /// The case violated it at least once.
    Violated,
    /// The case did not violate it, but ended, or ran out of its budget, before this was certain.
    Unknown,
    /// The case satisfies it.
    Holds,
    /// It does not apply to this lock or workload.
    NotApplicable,
}

/// How serious a violation is, the most serious first. Within one level, properties rank by their order in
/// [`Property::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The workload's data is wrong.
    DataLoss,
    /// The store accepted a write that it should not have: data was at risk.
    StaleWrite,
    /// The lock broke one of its guarantees.
    BrokenGuarantee,
    /// Every lock with a lease does this when a holder pauses for too long. Reports show it and do not count it as a
    /// failure.
    Expected,
}

/// What the table says about a property.
struct Row {
    name: &'static str,
    requirement: &'static str,
    severity: Severity,
    about: &'static str,
    violated_if: &'static str,
    not_applicable: &'static str,
}

/// Declares the properties in the order of reports, which is also their order in results. Each row names the module of
/// its checker. The checkers are fields and not boxed traits because they run at every event: most cost one comparison.
macro_rules! properties {
    ($($name:ident in $module:ident { $($field:ident: $value:expr,)+ })+) => {
        /// A property that cases are checked for. Matches in other crates need a wildcard, so that a new row touches none.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Property { $(#[allow(missing_docs, reason = "the row of the table says it")] $name,)+ }

        impl Property {
            /// All properties, in the order of reports.
            pub const ALL: [Property; ROWS.len()] = [$(Property::$name,)+];
        }

        const ROWS: &[Row] = &[$(Row { $($field: $value,)+ },)+];

        /// The checkers of one case. A property that does not apply to the case has none.
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
        about: "tokens grow from grant to grant, and no guard refuses the newest grant",
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
        about: "a holder that acquires again meets what the lock's documentation declares",
        violated_if: "a nested acquire or release behaves differently from the declared class",
        not_applicable: "no holder acquires again",
    }
    Takeover in takeover {
        name: "takeover",
        requirement: "avoids deadlock",
        severity: BrokenGuarantee,
        about: "after a holder's crash a waiter gets the lock within the lock's own bound",
        violated_if: "a holder crashes, a qualified waiter waits throughout, and no grant comes within the bound",
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
        violated_if: "a grant comes while a waiter that was enqueued earlier is still in the queue",
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
        not_applicable: "nothing takes effect",
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
        about: "the operations of clients and service on the lock have an order that one lock allows",
        violated_if: "the operations, with the service's own expiries, have no legal order",
        not_applicable: "no grants, or a service without consensus",
    }
}

impl Property {
    /// Its name in files, flags and reports.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The requirement that it measures.
    pub fn requirement(self) -> &'static str {
        self.row().requirement
    }

    /// How serious a violation is.
    pub fn severity(self) -> Severity {
        self.row().severity
    }

    /// What holds when it is not violated, as a clause.
    pub fn about(self) -> &'static str {
        self.row().about
    }

    /// Its definition: when a case violates it.
    pub fn violated_if(self) -> &'static str {
        self.row().violated_if
    }

    /// When it does not apply.
    pub fn not_applicable(self) -> &'static str {
        self.row().not_applicable
    }

    /// The property with this name.
    pub fn named(name: &str) -> Option<Property> {
        Property::ALL.into_iter().find(|property| property.name() == name)
    }

    /// Whether a violation means harm at the store: lost data, or an accepted write that put data at risk.
    pub fn is_harm(self) -> bool {
        self.severity() <= StaleWrite
    }

    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }
}

impl Verdict {
    /// Its name in files and reports.
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
    fn names_are_found_and_are_the_serialized_ones() {
        for property in Property::ALL {
            assert_eq!(Property::named(property.name()), Some(property));
            assert_eq!(serde_json::to_value(property).unwrap(), property.name());
        }
        assert_eq!(Property::named("exclusive"), None);
    }

    /// Results of earlier versions are read by position and by name: new properties go to the end.
    #[test]
    fn the_order_of_results_is_kept() {
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
    fn data_loss_is_what_workloads_require() {
        for property in Property::ALL {
            assert_eq!(property.severity() == DataLoss, property.requirement() == "workload", "{property:?}");
        }
    }

    #[test]
    fn every_property_has_a_clause_of_its_own() {
        for property in Property::ALL {
            let same = Property::ALL.into_iter().filter(|other| other.about() == property.about());
            assert_eq!(same.count(), 1, "{property:?}");
        }
    }

    #[test]
    fn the_page_of_properties_gives_every_row() {
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
    fn verdicts_have_the_names_of_the_results() {
        let verdicts = [Verdict::Violated, Verdict::Unknown, Verdict::Holds, Verdict::NotApplicable];
        assert_eq!(verdicts.map(Verdict::name), ["violated", "unknown", "holds", "not-applicable"]);
    }
}

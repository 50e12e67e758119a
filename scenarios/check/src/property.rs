//! The properties a case is judged by, and the verdicts.

use serde::{Deserialize, Serialize};

/// What a verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Property {
    /// No two Records overlap.
    GrantExclusion,
    /// No two Beliefs overlap.
    BeliefExclusion,
    /// No two Validities overlap.
    ValidityExclusion,
    /// No write is accepted after an operation of a higher-ranked grant.
    EffectExclusion,
    /// Tokens grow with the grant order, and guards never refuse the highest-ranked grant.
    Fencing,
    /// A release ends only the grant it was invoked for.
    OwnerRelease,
    /// A holder that acquires again meets what the lock's documentation declares.
    Reentrancy,
    /// After a holder's crash a waiter gets the lock within the lock's own bound.
    Takeover,
    /// After healing the lock can be acquired within the lock's own bound.
    Progress,
    /// Waiters get the lock in the order in which the service enqueued them.
    Fifo,
    /// No acknowledged update is missing.
    NoLostUpdate,
    /// No more units are sold than there were.
    NoOversell,
    /// No order or event takes effect twice.
    NoDuplicate,
    /// The accounts together hold what they held in the beginning.
    Consistent,
    /// The operations on the lock, with the service's own expiries, have a legal order.
    Linearizable,
}

/// The outcome of one property in one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was broken at least once.
    Violated,
    /// It was not broken, but the case ended before that could be judged.
    Unknown,
    /// It was kept.
    Holds,
    /// It has no meaning for this lock or workload.
    NotApplicable,
}

impl Property {
    /// All properties, in the order of reports.
    pub const ALL: [Property; 15] = [
        Property::GrantExclusion,
        Property::BeliefExclusion,
        Property::ValidityExclusion,
        Property::EffectExclusion,
        Property::Fencing,
        Property::OwnerRelease,
        Property::Reentrancy,
        Property::Takeover,
        Property::Progress,
        Property::Fifo,
        Property::NoLostUpdate,
        Property::NoOversell,
        Property::NoDuplicate,
        Property::Consistent,
        Property::Linearizable,
    ];

    /// Its name in files, flags and reports.
    pub fn name(self) -> &'static str {
        match self {
            Property::GrantExclusion => "grant-exclusion",
            Property::BeliefExclusion => "belief-exclusion",
            Property::ValidityExclusion => "validity-exclusion",
            Property::EffectExclusion => "effect-exclusion",
            Property::Fencing => "fencing",
            Property::OwnerRelease => "owner-release",
            Property::Reentrancy => "reentrancy",
            Property::Takeover => "takeover",
            Property::Progress => "progress",
            Property::Fifo => "fifo",
            Property::NoLostUpdate => "no-lost-update",
            Property::NoOversell => "no-oversell",
            Property::NoDuplicate => "no-duplicate",
            Property::Consistent => "consistent",
            Property::Linearizable => "linearizable",
        }
    }

    /// The requirement that it measures.
    pub fn requirement(self) -> &'static str {
        match self {
            Property::Reentrancy => "reentrant",
            Property::Takeover => "avoids deadlock",
            Property::Progress => "highly available",
            Property::Fifo => "order",
            Property::NoLostUpdate | Property::NoOversell | Property::NoDuplicate | Property::Consistent => "workload",
            _ => "exclusive",
        }
    }

    /// What it means, in one sentence.
    pub fn about(self) -> &'static str {
        match self {
            Property::GrantExclusion => "the service never has two grants on record at once",
            Property::BeliefExclusion => "no two clients believe at once that they hold the lock",
            Property::ValidityExclusion => {
                "no two grants are valid at once, by the validity that the lock itself advertises"
            }
            Property::EffectExclusion => "the store accepts no write of a grant after an operation of a later grant",
            Property::Fencing => "tokens grow from grant to grant, and no guard refuses the newest grant",
            Property::OwnerRelease => "a release never ends somebody else's grant",
            Property::Reentrancy => "a holder that acquires again meets what the lock's documentation declares",
            Property::Takeover => "after a holder's crash a waiter gets the lock within the lock's own bound",
            Property::Progress => "once all faults are healed the lock can be acquired within the lock's own bound",
            Property::Fifo => "no waiter in the service's queue is overtaken",
            Property::NoLostUpdate => "no acknowledged update is missing in the end",
            Property::NoOversell => "no more units are sold than there were in stock",
            Property::NoDuplicate => "no order or event takes effect twice",
            Property::Consistent => "at the end the accounts together hold what they held in the beginning",
            Property::Linearizable => "what clients and service did to the lock has an order that one lock allows",
        }
    }

    /// The property of this name.
    pub fn named(name: &str) -> Option<Property> {
        Property::ALL.into_iter().find(|property| property.name() == name)
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

    /// As the contract has them, in its order.
    const NAMES: [(&str, &str); 15] = [
        ("grant-exclusion", "exclusive"),
        ("belief-exclusion", "exclusive"),
        ("validity-exclusion", "exclusive"),
        ("effect-exclusion", "exclusive"),
        ("fencing", "exclusive"),
        ("owner-release", "exclusive"),
        ("reentrancy", "reentrant"),
        ("takeover", "avoids deadlock"),
        ("progress", "highly available"),
        ("fifo", "order"),
        ("no-lost-update", "workload"),
        ("no-oversell", "workload"),
        ("no-duplicate", "workload"),
        ("consistent", "workload"),
        ("linearizable", "exclusive"),
    ];

    #[test]
    fn each_property_has_its_name_and_its_requirement() {
        assert_eq!(Property::ALL.map(|property| (property.name(), property.requirement())), NAMES);
        assert_eq!(Property::ALL.map(|property| Property::named(property.name())), Property::ALL.map(Some));
        assert_eq!(Property::named("exclusive"), None);
    }

    #[test]
    fn each_property_says_something_else() {
        let mut said = Property::ALL.map(Property::about);
        said.sort_unstable();
        assert!(said.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn verdicts_have_the_names_of_the_results() {
        let verdicts = [Verdict::Violated, Verdict::Unknown, Verdict::Holds, Verdict::NotApplicable];
        assert_eq!(verdicts.map(Verdict::name), ["violated", "unknown", "holds", "not-applicable"]);
    }
}

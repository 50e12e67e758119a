//! Counts in how many cases of a search the wanted properties were decided: a search without a violation is evidence
//! only for those.

use std::collections::BTreeMap;

use crate::property::{Property, Verdict};
use crate::run::case_result::CaseResult;

/// The number of decided and unknown cases of each wanted property.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts(BTreeMap<Property, Count>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    decided: u64,
    unknown: u64,
}

impl Verdicts {
    pub(crate) fn new(wanted: &[Property]) -> Self {
        Verdicts(wanted.iter().map(|property| (*property, Count::default())).collect())
    }

    pub(crate) fn add(&mut self, result: &CaseResult) {
        for (property, count) in &mut self.0 {
            match result.verdict(*property) {
                Verdict::Violated | Verdict::Holds => count.decided += 1,
                Verdict::Unknown => count.unknown += 1,
                Verdict::NotApplicable => {}
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Verdicts) {
        for (property, more) in &other.0 {
            let count = self.0.entry(*property).or_default();
            count.decided += more.decided;
            count.unknown += more.unknown;
        }
    }

    /// Returns the wanted properties that applied to no case.
    pub fn not_applicable(&self) -> impl Iterator<Item = Property> + '_ {
        self.0.iter().filter(|(_, count)| count.decided + count.unknown == 0).map(|(property, _)| *property)
    }

    /// Returns the wanted properties with unknown verdicts, and the number of those cases.
    pub fn unknown(&self) -> impl Iterator<Item = (Property, u64)> + '_ {
        self.0.iter().filter(|(_, count)| count.unknown > 0).map(|(property, count)| (*property, count.unknown))
    }

    /// Returns whether no wanted property applied to any case.
    pub fn nothing_applies(&self) -> bool {
        self.not_applicable().count() == self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(verdicts: &[(Property, Verdict)]) -> CaseResult {
        CaseResult {
            verdicts: verdicts.to_vec(),
            metrics: vec![],
            faults: vec![],
            censored: false,
            touched_holder: false,
            trace: 0,
            events: 0,
            spans: vec![],
        }
    }

    #[test]
    fn a_property_that_applies_to_one_case_applies() {
        let mut verdicts = Verdicts::new(&[Property::Fifo, Property::Takeover]);
        verdicts.add(&result(&[(Property::Takeover, Verdict::NotApplicable), (Property::Progress, Verdict::Holds)]));
        assert!(verdicts.nothing_applies());
        let mut others = Verdicts::new(&[Property::Fifo, Property::Takeover]);
        others.add(&result(&[(Property::Takeover, Verdict::Unknown)]));
        verdicts.merge(&others);
        assert!(!verdicts.nothing_applies());
        assert_eq!(verdicts.not_applicable().collect::<Vec<_>>(), [Property::Fifo]);
        assert_eq!(verdicts.unknown().collect::<Vec<_>>(), [(Property::Takeover, 1)]);
    }
}

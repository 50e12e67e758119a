//! Selects what a log shows in detail: the grants that the evidence names, and the intervals in which they existed.

use std::collections::BTreeSet;

use fencepost_models::history::GrantId;
use fencepost_scenarios::check::Evidence;
use fencepost_sim::SimTime;

use crate::case_record::CaseRecord;

pub(super) struct Focus {
    /// The shown intervals, in order. If empty, the whole case is shown.
    intervals: Vec<(SimTime, SimTime)>,
    /// The grants that the evidence names.
    involved: BTreeSet<GrantId>,
    /// Grants that followed an involved one: shown, but not marked.
    followers: BTreeSet<GrantId>,
    /// The times of violations that name no grant.
    without_grant: BTreeSet<SimTime>,
}

impl Focus {
    pub fn new(record: &CaseRecord, whole: bool) -> Focus {
        let evidence = &record.report.evidence;
        let intervals = evidence.iter().filter(|_| !whole).map(|evidence| interval(record, evidence)).collect();
        let without_grant = evidence.iter().filter(|evidence| evidence.grants().is_empty());
        Focus {
            intervals: joined(intervals),
            involved: evidence.iter().flat_map(Evidence::grants).collect(),
            followers: BTreeSet::new(),
            without_grant: without_grant.map(|evidence| evidence.at).collect(),
        }
    }

    pub fn is_shown(&self, at: SimTime) -> bool {
        self.intervals.is_empty() || self.intervals.iter().any(|(from, to)| (*from..=*to).contains(&at))
    }

    pub fn is_involved(&self, grant: GrantId) -> bool {
        self.involved.contains(&grant)
    }

    pub fn is_relevant(&self, grant: GrantId) -> bool {
        self.is_involved(grant) || self.followers.contains(&grant)
    }

    pub fn follow(&mut self, grant: GrantId) {
        self.followers.insert(grant);
    }

    pub fn is_violation_without_grant(&self, at: SimTime) -> bool {
        self.without_grant.contains(&at)
    }
}

/// Returns the interval from the first grant of a violation to the last release of its grants, however late.
fn interval(record: &CaseRecord, evidence: &Evidence) -> (SimTime, SimTime) {
    let grants = evidence.grants().into_iter().filter_map(|grant| record.grant(grant));
    grants
        .filter_map(|grant| Some((grant.began()?, grant.last_event)))
        .fold((evidence.at, evidence.at), |all, one| (all.0.min(one.0), all.1.max(one.1)))
}

fn joined(mut intervals: Vec<(SimTime, SimTime)>) -> Vec<(SimTime, SimTime)> {
    intervals.sort_unstable();
    let mut joined: Vec<(SimTime, SimTime)> = Vec::new();
    for (from, to) in intervals {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_intervals_become_one() {
        let [a, b, c, d, e] = [1, 4, 3, 9, 12].map(SimTime);
        assert_eq!(joined(vec![(c, d), (a, b), (e, e)]), [(a, d), (e, e)]);
    }
}

//! What a telling is about: the grants that the evidence names, and the stretches of time in which they lived.

use std::collections::{BTreeMap, BTreeSet};

use fencepost_models::history::{Event, GrantId};
use fencepost_scenarios::check::Evidence;
use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::recorder::{TraceEvent, Watcher};
use fencepost_sim::SimTime;

/// Finds out when each grant lived: from when it was given until its release returned, however late its messages and
/// timers stir again.
#[derive(Default)]
pub(crate) struct Scout {
    lives: BTreeMap<GrantId, Life>,
}

struct Life {
    from: SimTime,
    to: SimTime,
    over: bool,
}

impl Watcher for Scout {
    fn record(&mut self, event: &TraceEvent<'_>) {
        let at = event.at;
        let Some(event) = event.event() else { return };
        if let Event::Granted { grant, .. } | Event::Acquired { grant, .. } = event {
            self.lives.entry(*grant).or_insert(Life { from: at, to: at, over: false });
        }
        let life = event.grant().and_then(|grant| self.lives.get_mut(&grant));
        if let Some(life) = life.filter(|life| !life.over) {
            life.to = at;
            life.over = matches!(event, Event::ReleaseReturned { .. });
        }
    }
}

/// One violation, as far as a log has to know it.
pub(crate) struct Violation {
    pub property: Property,
    pub at: SimTime,
    pub grants: Vec<GrantId>,
}

/// What to tell, and what to count.
pub(crate) struct Focus {
    pub violations: Vec<Violation>,
    /// The stretches to be told, in order; the whole case if there are none.
    stretches: Vec<(SimTime, SimTime)>,
    involved: BTreeSet<GrantId>,
    /// Not named by any evidence, but what came of a grant that was: told, and not marked.
    promoted: BTreeSet<GrantId>,
}

impl Focus {
    pub fn new(evidence: &[Evidence], scout: &Scout, whole: bool) -> Focus {
        let violations: Vec<Violation> =
            (evidence.iter()).map(|e| Violation { property: e.property, at: e.at, grants: e.grants() }).collect();
        let stretches = if whole { Vec::new() } else { joined(violations.iter().map(|v| stretch(v, scout)).collect()) };
        let involved = violations.iter().flat_map(|violation| violation.grants.iter().copied()).collect();
        Focus { violations, stretches, involved, promoted: BTreeSet::new() }
    }

    /// Whether this moment is told rather than counted.
    pub fn tells(&self, at: SimTime) -> bool {
        self.stretches.is_empty() || self.stretches.iter().any(|(from, to)| (*from..=*to).contains(&at))
    }

    pub fn involves(&self, grant: GrantId) -> bool {
        self.involved.contains(&grant)
    }

    pub fn knows(&self, grant: GrantId) -> bool {
        self.involves(grant) || self.promoted.contains(&grant)
    }

    /// Tells this grant, too.
    pub fn promote(&mut self, grant: GrantId) {
        self.promoted.insert(grant);
    }

    /// Whether a violation that names no grant happened at this moment.
    pub fn is_nameless_violation(&self, at: SimTime) -> bool {
        self.violations.iter().any(|violation| violation.at == at && violation.grants.is_empty())
    }
}

fn stretch(violation: &Violation, scout: &Scout) -> (SimTime, SimTime) {
    let lives = violation.grants.iter().filter_map(|grant| scout.lives.get(grant));
    lives.fold((violation.at, violation.at), |(from, to), life| (from.min(life.from), to.max(life.to)))
}

fn joined(mut stretches: Vec<(SimTime, SimTime)>) -> Vec<(SimTime, SimTime)> {
    stretches.sort_unstable();
    let mut joined: Vec<(SimTime, SimTime)> = Vec::new();
    for (from, to) in stretches {
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
    fn stretches_that_touch_are_told_as_one() {
        let [a, b, c, d, e] = [1, 4, 3, 9, 12].map(SimTime);
        assert_eq!(joined(vec![(c, d), (a, b), (e, e)]), [(a, d), (e, e)]);
    }
}

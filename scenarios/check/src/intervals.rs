//! Intervals of grants that must not overlap: Records, Beliefs, Validities.

use std::fmt;

use fencepost_models::ResourceId;
use fencepost_models::history::GrantId;
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::evidence::{Detail, Evidence, NodeNames, Party, length};
use crate::ledger::Ledger;
use crate::property::Property;

/// The intervals that are open, and what the closed ones had in common. A pair counts when its first interval closes:
/// only then is it known that they overlapped, and for how long.
#[derive(Default)]
pub(crate) struct Overlaps {
    open: Vec<Open>,
    pairs: i64,
    longest_ns: u64,
    total_ns: u64,
    first: Option<Overlap>,
}

/// How much two or more intervals overlapped, over the whole case.
pub(crate) struct Extent {
    pub(crate) pairs: i64,
    pub(crate) longest_ns: i64,
    pub(crate) total_ns: i64,
}

struct Open {
    grant: GrantId,
    /// Whose crash ends it; a Record outlives its client.
    client: Option<NodeId>,
    resource: ResourceId,
    since: SimTime,
}

#[derive(Clone, Copy)]
struct Overlap {
    earlier: Party,
    later: Party,
    from: SimTime,
    to: SimTime,
}

/// Two intervals overlapped.
#[derive(Debug)]
struct Both {
    earlier: Party,
    later: Party,
    from: SimTime,
    to: SimTime,
    were: &'static str,
}

impl Overlaps {
    pub(crate) fn open(&mut self, at: SimTime, grant: GrantId, client: Option<NodeId>, ledger: &Ledger) {
        if self.open.iter().all(|open| open.grant != grant) {
            self.open.push(Open { grant, client, resource: ledger.resource_of(grant), since: at });
        }
    }

    pub(crate) fn close(&mut self, at: SimTime, grant: GrantId, ledger: &Ledger) {
        if let Some(place) = self.open.iter().position(|open| open.grant == grant) {
            self.close_place(at, place, ledger);
        }
    }

    pub(crate) fn close_all_of(&mut self, at: SimTime, client: NodeId, ledger: &Ledger) {
        while let Some(place) = self.open.iter().position(|open| open.client == Some(client)) {
            self.close_place(at, place, ledger);
        }
    }

    /// Closes what is still open, and sums up.
    pub(crate) fn finish(&mut self, at: SimTime, ledger: &Ledger) -> Extent {
        while !self.open.is_empty() {
            self.close_place(at, 0, ledger);
        }
        let [longest_ns, total_ns] = [self.longest_ns, self.total_ns].map(|ns| i64::try_from(ns).unwrap_or(i64::MAX));
        Extent { pairs: self.pairs, longest_ns, total_ns }
    }

    /// The overlap that began first, and of several the one that ended first. `were` completes the sentence "A and B were both ...".
    pub(crate) fn evidence(&self, property: Property, were: &'static str) -> Option<Evidence> {
        let Overlap { earlier, later, from, to } = self.first?;
        Some(Evidence::new(property, from, Both { earlier, later, from, to, were }))
    }

    fn close_place(&mut self, at: SimTime, place: usize, ledger: &Ledger) {
        let closed = self.open.remove(place);
        for (other, open) in self.open.iter().enumerate().filter(|(_, open)| open.resource == closed.resource) {
            let from = open.since.max(closed.since);
            if from >= at {
                continue;
            }
            let ns = at.0 - from.0;
            self.pairs += 1;
            self.longest_ns = self.longest_ns.max(ns);
            self.total_ns = self.total_ns.saturating_add(ns);
            if self.first.is_none_or(|first| from < first.from) {
                // They stand in the order in which they were opened, and the closed one stood right before `place`.
                let [earlier, later] =
                    if other < place { [open.grant, closed.grant] } else { [closed.grant, open.grant] };
                let [earlier, later] = [earlier, later].map(|grant| ledger.party(grant));
                self.first = Some(Overlap { earlier, later, from, to: at });
            }
        }
    }
}

impl Detail for Both {
    fn tell(&self, f: &mut fmt::Formatter<'_>, names: &dyn NodeNames) -> fmt::Result {
        let [earlier, later] = [self.earlier, self.later];
        let lasted = length(self.to.since(self.from));
        write!(f, "{} ({earlier}) and {} ({later}) ", earlier.who(names), later.who(names))?;
        write!(f, "{} from {} to {}, for {lasted}", self.were, self.from, self.to)
    }

    fn parties(&self) -> Vec<Party> {
        vec![self.earlier, self.later]
    }
}

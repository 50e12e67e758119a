//! Intervals of grants that must not overlap: Records, Beliefs, Validities.

use fencepost_models::ResourceId;
use fencepost_models::history::GrantId;
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::check::{CheckContext, Output};
use crate::evidence::{GrantInfo, in_seconds};

/// The open intervals, and the overlaps of the closed ones. A pair is counted when its first interval closes, because
/// only then is the length of the overlap known.
#[derive(Default)]
pub(crate) struct Overlaps {
    open: Vec<Interval>,
    pairs: i64,
    longest_ns: u64,
    total_ns: u64,
    first: Option<Overlap>,
}

/// The number and lengths of all overlaps in the case.
pub(crate) struct Extent {
    pub(crate) pairs: i64,
    pub(crate) longest_ns: i64,
    pub(crate) total_ns: i64,
}

struct Interval {
    grant: GrantId,
    /// The client whose crash closes the interval. `None` for a Record, which outlives its client.
    client: Option<NodeId>,
    resource: ResourceId,
    since: SimTime,
}

#[derive(Clone, Copy)]
struct Overlap {
    earlier: GrantInfo,
    later: GrantInfo,
    from: SimTime,
    to: SimTime,
}

impl Overlaps {
    pub(crate) fn open(&mut self, context: &CheckContext, grant: GrantId, client: Option<NodeId>) {
        if self.open.iter().all(|open| open.grant != grant) {
            let resource = context.ledger.resource_of(grant);
            self.open.push(Interval { grant, client, resource, since: context.at });
        }
    }

    pub(crate) fn close(&mut self, context: &CheckContext, grant: GrantId) {
        if let Some(index) = self.open.iter().position(|open| open.grant == grant) {
            self.close_at(context, index);
        }
    }

    pub(crate) fn close_all_of(&mut self, context: &CheckContext, client: NodeId) {
        while let Some(index) = self.open.iter().position(|open| open.client == Some(client)) {
            self.close_at(context, index);
        }
    }

    /// Closes all intervals. Reports the overlap that began first; of several such overlaps, the one that ended first.
    /// `both` completes the sentence "A and B ...".
    pub(crate) fn finish(mut self, context: &CheckContext, output: &mut Output, both: &'static str) -> Extent {
        while !self.open.is_empty() {
            self.close_at(context, 0);
        }
        if let Some(Overlap { earlier, later, from, to }) = self.first {
            output.violated(from, [earlier, later], move |names| {
                let ([e, l], lasted) = ([earlier, later].map(|grant| names.client(grant)), in_seconds(to.since(from)));
                format!("{e} ({earlier}) and {l} ({later}) {both} from {from} to {to}, for {lasted}")
            });
        }
        let [longest_ns, total_ns] = [self.longest_ns, self.total_ns].map(|ns| i64::try_from(ns).unwrap_or(i64::MAX));
        Extent { pairs: self.pairs, longest_ns, total_ns }
    }

    fn close_at(&mut self, context: &CheckContext, index: usize) {
        let (to, closed) = (context.at, self.open.remove(index));
        for (other, open) in self.open.iter().enumerate().filter(|(_, open)| open.resource == closed.resource) {
            let from = open.since.max(closed.since);
            if from >= to {
                continue;
            }
            let ns = to.0 - from.0;
            self.pairs += 1;
            self.longest_ns = self.longest_ns.max(ns);
            self.total_ns = self.total_ns.saturating_add(ns);
            if self.first.is_none_or(|first| from < first.from) {
                // Open intervals are in the order in which they opened. The closed one was at `index`.
                let [earlier, later] =
                    if other < index { [open.grant, closed.grant] } else { [closed.grant, open.grant] };
                let [earlier, later] = [earlier, later].map(|grant| context.grant(grant));
                self.first = Some(Overlap { earlier, later, from, to });
            }
        }
    }
}

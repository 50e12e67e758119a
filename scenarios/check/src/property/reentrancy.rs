//! `reentrancy`: a nested acquire behaves as the lock's documentation says: counted, uncounted, refused, or a
//! self-deadlock.
//!
//! Ground truth decides. If a nested release ends the Record of the outer grant, the lock does not count acquires;
//! otherwise it does. A nested acquire that fails at once was refused. A nested acquire that fails at the end of its
//! wait is a self-deadlock. The two can be distinguished only if no fault affects the client or the service. If the
//! outer grant ended otherwise, or a reply was lost, the behaviour remains undecided.

#[cfg(test)]
mod tests;

use std::time::Duration;

use fencepost_models::Reentrancy as Class;
use fencepost_models::history::{Ack, Cause, Event, GrantId};
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, CheckContext, Checker, Output};
use crate::ledger::RecordChange;
use crate::property::Verdict;

pub(crate) struct Reentrancy {
    class: Class,
    wait: Duration,
    /// Holders that acquired again. At most one entry per client.
    nestings: Vec<Nesting>,
    exercised: bool,
    decided: bool,
}

/// The nested acquires and releases of one holder.
struct Nesting {
    client: NodeId,
    outer: GrantId,
    since: SimTime,
    /// Whether a fault affected the client or the service during the nested acquire.
    disturbed: bool,
    /// The number of nested acquires that joined the outer grant and were not released yet.
    depth: u32,
    stage: Stage,
    /// Whether this nesting can no longer decide anything.
    void: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Acquiring,
    Releasing,
    /// All nested acquires were released, and the outer release was invoked.
    ReleasingOuter,
    /// The outer release ended the Record.
    Ended,
}

/// The observed behaviour of the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Observed {
    Class(Class),
    /// The nested acquire succeeded, whether counted or not.
    Success,
    /// The nested acquire returned a second grant.
    SecondGrant,
    /// The lock was still held after as many releases as acquires.
    StillHeld,
}

impl Checker for Reentrancy {
    fn new(case: &CaseSpec) -> Option<Self> {
        (case.grants && case.reentrancy != Class::NotApplicable).then(|| Reentrancy {
            class: case.reentrancy,
            wait: case.nested_wait,
            nestings: Vec::new(),
            exercised: false,
            decided: false,
        })
    }

    fn observe(&mut self, context: &CheckContext, event: &Event, output: &mut Output) {
        match *event {
            Event::NestedInvoked { client, grant, .. } => self.begin(context, client, grant),
            Event::NestedReturned { client, ack, same, .. } => self.returned(context, client, ack, same, output),
            Event::NestedReleaseInvoked { client, .. } => self.set_stage(client, Stage::Releasing),
            Event::NestedReleaseReturned { client, ack, .. } => self.released(context, client, ack, output),
            Event::ReleaseInvoked { client, grant } => self.releases_outer(client, grant),
            Event::ReleaseReturned { client, grant, ack } => self.released_outer(context, client, grant, ack, output),
            Event::Ended { cause, .. } => self.ended(context, cause, output),
            Event::ClientCrashed { client } => self.nestings.retain(|nesting| nesting.client != client),
            Event::FaultBegan { .. } => self.disturb(context),
            _ => {}
        }
    }

    fn finish(self, _context: &CheckContext, _output: &mut Output) -> Verdict {
        match (self.decided, self.exercised) {
            (true, _) => Verdict::Holds,
            (false, true) => Verdict::Unknown,
            (false, false) => Verdict::NotApplicable,
        }
    }
}

impl Reentrancy {
    fn begin(&mut self, context: &CheckContext, client: NodeId, outer: GrantId) {
        self.exercised = true;
        let disturbed = context.waiters.is_affected(client);
        self.nestings.retain(|nesting| nesting.client != client || nesting.outer == outer);
        match self.nestings.iter_mut().find(|nesting| nesting.client == client) {
            Some(nesting) => (nesting.since, nesting.disturbed) = (context.at, disturbed),
            None => self.nestings.push(Nesting {
                client,
                outer,
                since: context.at,
                disturbed,
                depth: 0,
                stage: Stage::Acquiring,
                void: !context.ledger.is_on_record(outer),
            }),
        }
    }

    fn returned(&mut self, context: &CheckContext, client: NodeId, ack: Ack, same: bool, output: &mut Output) {
        let (class, wait) = (self.class, self.wait);
        let Some(nesting) = self.nesting(client) else { return };
        let succeeds = matches!(class, Class::Counted | Class::Uncounted);
        // The tolerance is needed because locks round their waits and client clocks drift.
        let waited = context.at.since(nesting.since) >= wait * 9 / 10;
        let observed = match ack {
            // The outer grant ended while the nested acquire waited for it.
            Ack::Ok | Ack::Failed if nesting.void && class == Class::SelfDeadlock => Some(Observed::Class(class)),
            _ if nesting.void => None,
            Ack::Ok if !same => Some(Observed::SecondGrant),
            Ack::Ok if !succeeds => Some(Observed::Success),
            Ack::Ok => {
                nesting.depth += 1;
                None
            }
            Ack::Failed if !nesting.disturbed => {
                Some(Observed::Class(if waited { Class::SelfDeadlock } else { Class::Refused }))
            }
            // A lost reply looks the same, so other classes are not violated.
            Ack::Unknown if waited && !nesting.disturbed && class == Class::SelfDeadlock => {
                Some(Observed::Class(class))
            }
            Ack::Failed | Ack::Unknown => {
                nesting.void = true;
                None
            }
        };
        if let Some(observed) = observed {
            self.decide(context, client, observed, output);
        }
    }

    /// Handles the return of a nested release. The release has not ended the Record, or the nesting would be void.
    fn released(&mut self, context: &CheckContext, client: NodeId, ack: Ack, output: &mut Output) {
        let class = self.class;
        let Some(nesting) = self.nesting(client).filter(|nesting| !nesting.void && nesting.depth > 0) else { return };
        match ack {
            Ack::Ok => nesting.depth -= 1,
            Ack::Failed | Ack::Unknown => nesting.void = true,
        }
        if ack == Ack::Ok && class == Class::Uncounted {
            self.decide(context, client, Observed::Class(Class::Counted), output);
        }
    }

    fn releases_outer(&mut self, client: NodeId, outer: GrantId) {
        let counted = self.class == Class::Counted;
        self.nestings.retain(|nesting| {
            let is_this = nesting.client == client && nesting.outer == outer;
            !is_this || (counted && !nesting.void && nesting.depth == 0 && nesting.stage == Stage::Releasing)
        });
        if let Some(nesting) = self.nesting(client).filter(|nesting| nesting.outer == outer) {
            nesting.stage = Stage::ReleasingOuter;
        }
    }

    fn released_outer(
        &mut self,
        context: &CheckContext,
        client: NodeId,
        outer: GrantId,
        ack: Ack,
        output: &mut Output,
    ) {
        let Some(nesting) = self.nesting(client).filter(|nesting| nesting.outer == outer && !nesting.void) else {
            return;
        };
        let ended = nesting.stage == Stage::Ended;
        if ack == Ack::Ok {
            self.decide(
                context,
                client,
                if ended { Observed::Class(Class::Counted) } else { Observed::StillHeld },
                output,
            );
        }
        self.nestings.retain(|nesting| nesting.client != client);
    }

    /// Handles the end of a Record, if the latest event ended one.
    fn ended(&mut self, context: &CheckContext, cause: Cause, output: &mut Output) {
        let RecordChange::Ended(grant) = context.ledger.record_change() else { return };
        let Some(nesting) = self.nestings.iter_mut().find(|nesting| nesting.outer == grant && !nesting.void) else {
            return;
        };
        let client = nesting.client;
        match (nesting.stage, cause) {
            (Stage::ReleasingOuter, Cause::Released(by)) if by == grant => nesting.stage = Stage::Ended,
            (Stage::Releasing, Cause::Released(by)) if by == grant => {
                nesting.void = true;
                self.decide(context, client, Observed::Class(Class::Uncounted), output);
            }
            _ => nesting.void = true,
        }
    }

    fn disturb(&mut self, context: &CheckContext) {
        for nesting in &mut self.nestings {
            nesting.disturbed |= context.waiters.is_affected(nesting.client);
        }
    }

    fn set_stage(&mut self, client: NodeId, stage: Stage) {
        if let Some(nesting) = self.nesting(client) {
            nesting.stage = stage;
        }
    }

    fn nesting(&mut self, client: NodeId) -> Option<&mut Nesting> {
        self.nestings.iter_mut().find(|nesting| nesting.client == client)
    }

    fn decide(&mut self, context: &CheckContext, client: NodeId, observed: Observed, output: &mut Output) {
        self.decided = true;
        let declared = self.class;
        let Some(nesting) = self.nestings.iter().find(|nesting| nesting.client == client) else { return };
        if observed != Observed::Class(declared) {
            let (at, holder) = (context.at, context.grant(nesting.outer));
            output.violated(at, [holder], move |names| {
                let (client, result) = (names.client(holder), observed.describe());
                let declared = declared.text();
                format!(
                    "{client} held the lock ({holder}) and acquired it again: {result} ({at}); \
                     its documentation says {declared}"
                )
            });
        }
    }
}

impl Observed {
    fn describe(self) -> &'static str {
        match self {
            Observed::Class(Class::Counted) => "one of two releases did not free it",
            Observed::Class(Class::Uncounted) => "the first of its releases freed it",
            Observed::Class(Class::Refused) => "the acquire was refused at once",
            Observed::Class(Class::SelfDeadlock) => "the acquire waited for its own grant until it gave up",
            Observed::Class(Class::NotApplicable) => "the lock has no grants",
            Observed::Success => "the acquire succeeded",
            Observed::SecondGrant => "the acquire got a second grant",
            Observed::StillHeld => "the lock was still held after as many releases as acquires",
        }
    }
}

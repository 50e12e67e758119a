//! `reentrancy`: a holder that acquires again meets what the lock's documentation declares: counted, uncounted, refused,
//! or a self-deadlock.
//!
//! Ground truth decides. A nested release that ends the Record of the outer grant shows that the lock does not count; one
//! that does not end it shows that it does. A nested acquire that fails at once was refused; one that fails when its
//! wait is over deadlocked with itself. They can be distinguished only without a fault on the client or the service. If
//! the outer grant ended otherwise, or a reply was lost, nothing is decided.

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
    /// Holders that acquired again, each client at most once.
    nestings: Vec<Nesting>,
    exercised: bool,
    decided: bool,
}

/// A holder acquires again, and releases again.
struct Nesting {
    client: NodeId,
    outer: GrantId,
    since: SimTime,
    /// A fault was on the client or the service during the nested acquire.
    disturbed: bool,
    /// Nested acquires that joined the outer grant and were not released yet.
    depth: u32,
    stage: Stage,
    /// Nothing more can be decided from it.
    void: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Acquiring,
    Releasing,
    /// All nested acquires were released, and now the outer one.
    ReleasingOuter,
    /// The outer release ended the Record.
    Ended,
}

/// How the lock behaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Observed {
    Class(Class),
    /// The nested acquire succeeded, counted or not.
    Success,
    /// The nested acquire got another grant.
    SecondGrant,
    /// After as many releases as acquires the lock was still held.
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
        let disturbed = context.waiters.is_hindered(client);
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
        // Locks round their waits, and client clocks drift.
        let waited = context.at.since(nesting.since) >= wait * 9 / 10;
        let observed = match ack {
            // The outer grant expired while the nested acquire waited for it.
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
            // A lost reply looks the same: that is no violation.
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

    /// A nested release returned. It has not ended the Record, or the nesting would be void.
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
            let of_this = nesting.client == client && nesting.outer == outer;
            !of_this || (counted && !nesting.void && nesting.depth == 0 && nesting.stage == Stage::Releasing)
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

    /// A Record may have ended.
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
            nesting.disturbed |= context.waiters.is_hindered(nesting.client);
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
                    "{client} held the lock ({holder}) and acquired it again: {result} ({at}); declared is {declared}"
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
            Observed::Class(Class::NotApplicable) => "there was nothing to hold",
            Observed::Success => "the acquire succeeded",
            Observed::SecondGrant => "the acquire got a second grant",
            Observed::StillHeld => "the lock was still held after as many releases as acquires",
        }
    }
}

//! `reentrancy`: a holder that acquires again meets what the lock's documentation declares: counted, uncounted, refused,
//! or a wait for itself.
//!
//! Judged by ground truth: a nested release that ends the Record of the outer grant shows that nobody counts; one that
//! does not, that somebody does. A nested acquire that fails at once was refused, one that fails when its patience ends
//! waited for itself; which of them is told apart only while no fault is on the client or the service. Where the outer
//! grant ended otherwise, or a reply was lost, nothing is judged.

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use fencepost_models::Reentrancy as Class;
use fencepost_models::history::{Ack, Cause, Event, GrantId};
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, CheckContext, Checker, Finding};
use crate::evidence::{Detail, Evidence, NodeNames, Party};
use crate::ledger::RecordChange;
use crate::metrics::Tally;
use crate::property::{Property, Verdict};

pub(crate) fn build(facts: &CaseSpec) -> Option<Reentrancy> {
    (facts.grants && facts.reentrancy != Class::NotApplicable).then(|| Reentrancy {
        class: facts.reentrancy,
        patience: facts.nested_patience,
        open: Vec::new(),
        exercised: false,
        judged: false,
        first: None,
    })
}

pub(crate) struct Reentrancy {
    class: Class,
    patience: Duration,
    /// What holders are at, one at most for each client.
    open: Vec<Exercise>,
    exercised: bool,
    judged: bool,
    first: Option<Evidence>,
}

/// A holder acquires again, and releases again.
struct Exercise {
    client: NodeId,
    outer: GrantId,
    since: SimTime,
    /// A fault was on the client or the service while it acquired again.
    disturbed: bool,
    /// Nested acquires that count as the same holding and were not released yet.
    depth: u32,
    stage: Stage,
    /// What happened keeps the rest from being judged.
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

/// What a holder that acquired again met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    Class(Class),
    /// It succeeded, whether counted or not.
    Success,
    /// It got another grant beside its own.
    Another,
    /// After as many releases as acquires it still held the lock.
    Stuck,
}

#[derive(Debug)]
struct NotAsDeclared {
    holder: Party,
    declared: Class,
    met: Met,
    at: SimTime,
}

impl Checker for Reentrancy {
    fn observe(&mut self, context: &CheckContext, event: &Event, _tally: &mut Tally) {
        match *event {
            Event::NestedInvoked { client, grant, .. } => self.begin(context, client, grant),
            Event::NestedReturned { client, ack, same, .. } => self.returned(context, client, ack, same),
            Event::NestedReleaseInvoked { client, .. } => self.set_stage(client, Stage::Releasing),
            Event::NestedReleaseReturned { client, ack, .. } => self.released(context, client, ack),
            Event::ReleaseInvoked { client, grant } => self.releases_outer(client, grant),
            Event::ReleaseReturned { client, grant, ack } => self.released_outer(context, client, grant, ack),
            Event::Ended { cause, .. } => self.ended(context, cause),
            Event::ClientCrashed { client } => self.open.retain(|open| open.client != client),
            Event::FaultBegan { .. } => self.disturb(context),
            _ => {}
        }
    }

    fn finish(self, _scene: &CheckContext, _tally: &mut Tally) -> Finding {
        match (&self.first, self.judged, self.exercised) {
            (Some(_), ..) => Finding::from_first(self.first),
            (None, true, _) => Finding::bare(Verdict::Holds),
            (None, false, true) => Finding::bare(Verdict::Unknown),
            (None, false, false) => Finding::bare(Verdict::NotApplicable),
        }
    }
}

impl Reentrancy {
    fn begin(&mut self, context: &CheckContext, client: NodeId, outer: GrantId) {
        self.exercised = true;
        let disturbed = context.waiters.is_hindered(client);
        self.open.retain(|open| open.client != client || open.outer == outer);
        match self.open.iter_mut().find(|open| open.client == client) {
            Some(open) => (open.since, open.disturbed) = (context.at, disturbed),
            None => self.open.push(Exercise {
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

    fn returned(&mut self, context: &CheckContext, client: NodeId, ack: Ack, same: bool) {
        let (class, patience) = (self.class, self.patience);
        let Some(open) = self.of(client) else { return };
        let succeeds = matches!(class, Class::Counted | Class::Uncounted);
        // Locks round their waits, and clocks differ.
        let waited = context.at.since(open.since) >= patience * 9 / 10;
        let met = match ack {
            // Its own grant ran out while it waited for it.
            Ack::Ok | Ack::Failed if open.void && class == Class::SelfDeadlock => Some(Met::Class(class)),
            _ if open.void => None,
            Ack::Ok if !same => Some(Met::Another),
            Ack::Ok if !succeeds => Some(Met::Success),
            Ack::Ok => {
                open.depth += 1;
                None
            }
            Ack::Failed if !open.disturbed => {
                Some(Met::Class(if waited { Class::SelfDeadlock } else { Class::Refused }))
            }
            // A lost reply looks the same, so that this convicts nobody.
            Ack::Unknown if waited && !open.disturbed && class == Class::SelfDeadlock => Some(Met::Class(class)),
            Ack::Failed | Ack::Unknown => {
                open.void = true;
                None
            }
        };
        if let Some(met) = met {
            self.judge(context, client, met);
        }
    }

    /// One nested release is through, and has not ended the Record, or the exercise would be void.
    fn released(&mut self, context: &CheckContext, client: NodeId, ack: Ack) {
        let class = self.class;
        let Some(open) = self.of(client).filter(|open| !open.void && open.depth > 0) else { return };
        match ack {
            Ack::Ok => open.depth -= 1,
            Ack::Failed | Ack::Unknown => open.void = true,
        }
        if ack == Ack::Ok && class == Class::Uncounted {
            self.judge(context, client, Met::Class(Class::Counted));
        }
    }

    fn releases_outer(&mut self, client: NodeId, outer: GrantId) {
        let counted = self.class == Class::Counted;
        self.open.retain(|open| {
            let of_this = open.client == client && open.outer == outer;
            !of_this || (counted && !open.void && open.depth == 0 && open.stage == Stage::Releasing)
        });
        if let Some(open) = self.of(client).filter(|open| open.outer == outer) {
            open.stage = Stage::ReleasingOuter;
        }
    }

    fn released_outer(&mut self, context: &CheckContext, client: NodeId, outer: GrantId, ack: Ack) {
        let Some(open) = self.of(client).filter(|open| open.outer == outer && !open.void) else { return };
        let ended = open.stage == Stage::Ended;
        if ack == Ack::Ok {
            self.judge(context, client, if ended { Met::Class(Class::Counted) } else { Met::Stuck });
        }
        self.open.retain(|open| open.client != client);
    }

    /// A Record may have ended.
    fn ended(&mut self, context: &CheckContext, cause: Cause) {
        let RecordChange::Over(grant) = context.ledger.record_change() else { return };
        let Some(open) = self.open.iter_mut().find(|open| open.outer == grant && !open.void) else { return };
        let client = open.client;
        match (open.stage, cause) {
            (Stage::ReleasingOuter, Cause::Released(by)) if by == grant => open.stage = Stage::Ended,
            (Stage::Releasing, Cause::Released(by)) if by == grant => {
                open.void = true;
                self.judge(context, client, Met::Class(Class::Uncounted));
            }
            _ => open.void = true,
        }
    }

    fn disturb(&mut self, context: &CheckContext) {
        for open in &mut self.open {
            open.disturbed |= context.waiters.is_hindered(open.client);
        }
    }

    fn set_stage(&mut self, client: NodeId, stage: Stage) {
        if let Some(open) = self.of(client) {
            open.stage = stage;
        }
    }

    fn of(&mut self, client: NodeId) -> Option<&mut Exercise> {
        self.open.iter_mut().find(|open| open.client == client)
    }

    fn judge(&mut self, context: &CheckContext, client: NodeId, met: Met) {
        self.judged = true;
        let declared = self.class;
        let Some(open) = self.open.iter().find(|open| open.client == client) else { return };
        if met != Met::Class(declared) {
            let detail = NotAsDeclared { holder: context.ledger.party(open.outer), declared, met, at: context.at };
            self.first.get_or_insert_with(|| Evidence::new(Property::Reentrancy, context.at, detail));
        }
    }
}

impl Detail for NotAsDeclared {
    fn tell(&self, f: &mut fmt::Formatter<'_>, names: &dyn NodeNames) -> fmt::Result {
        let NotAsDeclared { holder, declared, met, at } = self;
        write!(f, "{} held the lock ({holder}) and acquired it again: ", holder.who(names))?;
        f.write_str(match met {
            Met::Class(Class::Counted) => "one release of the two did not free it",
            Met::Class(Class::Uncounted) => "the first of its releases freed it",
            Met::Class(Class::Refused) => "that was refused at once",
            Met::Class(Class::SelfDeadlock) => "it waited for itself until its patience ended",
            Met::Class(Class::NotApplicable) => "there was nothing to hold",
            Met::Success => "that succeeded",
            Met::Another => "it got another grant beside its own",
            Met::Stuck => "after as many releases as acquires it was still held",
        })?;
        write!(f, " ({at}); declared is {}", declared.words())
    }

    fn parties(&self) -> Vec<Party> {
        vec![self.holder]
    }
}

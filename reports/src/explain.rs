//! Why a property was violated: the chain of causes, from the grant that went stale to the moment at which the rule was
//! broken. Only what matters is in it, in the order of true time; all of it is derived from the history of the case.

mod faults;
mod links;
mod liveness;
mod pair;
mod single;
#[cfg(test)]
mod tests;

use fencepost_models::history::GrantId;
use fencepost_scenarios::check::Evidence;
use fencepost_scenarios::property::{Property, Severity};
use fencepost_scenarios::run::case::node_name;
use fencepost_sim::{NodeId, SimTime};
use serde_json::{Value, json};

use crate::case_run::CaseRun;
use crate::narrative::cast::listed;
use crate::text::visible;

use self::links::Links;

pub(crate) use self::faults::{label as fault_label, lane_label, words as fault_words};

/// Why one property was violated.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The property.
    pub property: Property,
    /// When it was violated.
    pub at: SimTime,
    /// What the checker found, in one sentence.
    pub sentence: String,
    /// The grants that it is about, the one that went wrong first.
    pub grants: Vec<GrantId>,
    /// The same grants as the sentence names them.
    pub parties: Vec<GrantId>,
    /// The causes, in the order of true time.
    pub causes: Vec<Cause>,
}

/// One link in a chain of causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// When, in true time.
    pub at: SimTime,
    /// When it was over, for what lasted.
    pub until: Option<SimTime>,
    /// Where, if it was at one node.
    pub node: Option<String>,
    /// What kind of thing happened.
    pub kind: CauseKind,
    /// What happened, as a clause with its nodes named: `client-2 was paused until 24.000 s (gc)`.
    pub text: String,
    /// The properties that were violated by this.
    pub violates: Vec<Property>,
    pub(crate) place: Option<NodeId>,
    /// The grant that it is about, where it is an event of one.
    pub(crate) grant: Option<GrantId>,
    /// Its place in the history: what happened at the same nanosecond has an order, too.
    pub(crate) seq: usize,
}

/// What a link in a chain of causes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CauseKind {
    /// A client began to want the lock, or waited for it.
    Waited,
    /// A client acquired the lock.
    Acquired,
    /// A server gave the lock to a client.
    Granted,
    /// A fault was in force.
    Fault,
    /// A grant ended at the service: expired, revoked, released.
    Ended,
    /// A grant did not end where it might have been expected to.
    Kept,
    /// A server began to lead the others.
    Led,
    /// The store was read.
    Read,
    /// A client sent an operation.
    Sent,
    /// The store accepted a write.
    Wrote,
    /// The store refused an operation.
    Refused,
    /// A client released the lock.
    Released,
    /// The store lost what it had.
    RolledBack,
    /// All faults were healed.
    Healed,
    /// A promise was due.
    Due,
    /// Anything else.
    Other,
}

impl CauseKind {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            CauseKind::Waited => "waited",
            CauseKind::Acquired => "acquired",
            CauseKind::Granted => "granted",
            CauseKind::Fault => "fault",
            CauseKind::Ended => "ended",
            CauseKind::Kept => "kept",
            CauseKind::Led => "led",
            CauseKind::Read => "read",
            CauseKind::Sent => "sent",
            CauseKind::Wrote => "wrote",
            CauseKind::Refused => "refused",
            CauseKind::Released => "released",
            CauseKind::RolledBack => "rolled-back",
            CauseKind::Healed => "healed",
            CauseKind::Due => "due",
            CauseKind::Other => "other",
        }
    }
}

/// One chain for each property that was violated, in the order of [`Property::ALL`].
pub fn chains(run: &CaseRun) -> Vec<Chain> {
    run.report.evidence.iter().map(|evidence| chain(run, evidence)).collect()
}

/// The chain of the most severe violation. One that names no grants, such as a wrong sum, explains less: it leads only
/// if all others are expected.
pub fn gravest(chains: &[Chain]) -> Option<&Chain> {
    let order = |chain: &&Chain| {
        let severity = chain.property.severity();
        (severity == Severity::Expected, chain.parties.is_empty(), severity, chain.property)
    };
    chains.iter().min_by_key(order)
}

/// The chain of one violation.
pub fn chain(run: &CaseRun, evidence: &Evidence) -> Chain {
    let mut links = Links::new(run, evidence.at);
    let grants = match evidence.property {
        Property::Takeover => liveness::takeover(&mut links, evidence),
        Property::Progress => liveness::progress(&mut links),
        Property::Fifo => liveness::fifo(&mut links, evidence),
        Property::Reentrancy => single::reentrancy(&mut links, evidence),
        Property::NoDuplicate => single::duplicate(&mut links, evidence),
        Property::NoOversell | Property::Consistent => single::sum(&mut links, evidence.property),
        _ => pair::two_grants(&mut links, evidence),
    };
    let sentence = told(run, evidence);
    let causes = links.finish(evidence, &sentence);
    Chain { property: evidence.property, at: evidence.at, sentence, grants, parties: evidence.grants(), causes }
}

fn told(run: &CaseRun, evidence: &Evidence) -> String {
    let names = |node: NodeId| node_name(&run.report.nodes, node);
    visible(&evidence.render(&names))
}

/// The gravest chain as text, and what else was violated.
pub fn text(chains: &[Chain]) -> String {
    let Some(lead) = gravest(chains) else { return String::new() };
    let all: Vec<&Chain> = chains.iter().collect();
    let told: Vec<&str> = lead.causes.iter().flat_map(|cause| lead.broken_at(cause, &all)).collect();
    let mut text = format!("Why {} violated:\n", are(&told));
    for (place, cause) in lead.causes.iter().enumerate() {
        let here = lead.broken_at(cause, &all);
        let mark = if here.is_empty() { String::new() } else { format!("   ◀ {}", listed(&here)) };
        text += &format!("{:>3}. {:>10}  {}{mark}\n", place + 1, moment(cause.at), cause.text);
    }
    let others = chains.iter().map(|chain| chain.property.name()).filter(|name| !told.contains(name));
    let others: Vec<&str> = others.collect();
    if !others.is_empty() {
        text += &format!("Violated by chains of their own, which `--format json` gives: {}.\n", listed(&others));
    }
    text
}

fn are(names: &[&str]) -> String {
    format!("{} {}", listed(names), if names.len() == 1 { "is" } else { "are" })
}

impl Chain {
    /// What went wrong, in a few words with names: `client-1's write came after client-2 had taken over`.
    pub fn headline(&self, run: &CaseRun) -> String {
        let who = |place: usize| self.grants.get(place).map_or("somebody", |grant| run.holder(*grant));
        let (old, new) = (who(0), who(1));
        let last = self.causes.iter().find(|cause| !cause.violates.is_empty());
        let lost = last.is_some_and(|cause| cause.kind == CauseKind::Wrote && cause.text.contains("lost"));
        visible(&match self.property {
            Property::EffectExclusion if lost => {
                format!("{old} wrote after {new} had taken over, and wiped out what {new} had done")
            }
            Property::EffectExclusion => format!("{old} wrote after {new} had taken over"),
            Property::NoLostUpdate if self.parties.len() > 1 => {
                let [lost, by] = [0, 1].map(|place| run.holder(self.parties[place]));
                format!("{lost}'s acknowledged update was wiped out by {by}")
            }
            Property::NoLostUpdate => format!("{old}'s acknowledged update is gone: the store lost it"),
            Property::NoDuplicate => "One order took effect twice".to_owned(),
            Property::NoOversell => "More was sold than there was".to_owned(),
            Property::OwnerRelease => format!("{old}'s release ended {new}'s grant"),
            Property::Fencing if old == new => format!("The tokens of two grants of {old} did not grow as they must"),
            Property::Fencing => format!("The tokens of {old} and {new} did not grow as they must"),
            Property::GrantExclusion => format!("The lock was given to {old} and to {new} at once"),
            Property::ValidityExclusion => format!("{old} and {new} both held the lock validly, by its own reckoning"),
            Property::BeliefExclusion => format!("{old} and {new} both believed that they held the lock"),
            Property::Consistent => "The accounts no longer hold what they held together".to_owned(),
            Property::Linearizable => format!("What {old} was told fits into no order that one lock allows"),
            Property::Takeover => format!("Nobody got the lock of {old}, which had crashed"),
            Property::Progress => "Nobody got the lock, although nothing was wrong any more".to_owned(),
            Property::Fifo => format!("{new} got the lock before {old}, which had been in line longer"),
            Property::Reentrancy => format!("{old} acquired what it held, and met what was not declared"),
            _ => self.sentence.clone(),
        })
    }

    /// Whether another violation is about the same as this chain.
    pub(crate) fn explains(&self, other: &Chain) -> bool {
        self.property == other.property || self.sorted_grants() == other.sorted_grants()
    }

    /// The properties of these chains that were violated by a cause of this one.
    pub(crate) fn broken_at<'a>(&self, cause: &Cause, chains: &[&'a Chain]) -> Vec<&'a str> {
        let broken = |chain: &&&Chain| chain.causes.iter().any(|other| !other.violates.is_empty() && other.is(cause));
        let told = chains.iter().filter(|chain| self.explains(chain)).filter(broken);
        told.map(|chain| chain.property.name()).collect()
    }

    fn sorted_grants(&self) -> Vec<GrantId> {
        let mut grants = self.grants.clone();
        grants.sort_unstable();
        grants
    }

    /// The causes as JSON.
    pub fn json(&self) -> Value {
        Value::Array(self.causes.iter().map(Cause::json).collect())
    }
}

impl Cause {
    /// Whether it is the same event, in whatever words.
    pub(crate) fn is(&self, other: &Cause) -> bool {
        let event = |cause: &Cause| (cause.at, cause.seq, cause.kind, cause.place, cause.grant);
        event(self) == event(other)
    }

    fn json(&self) -> Value {
        json!({
            "at_ns": self.at.0,
            "until_ns": self.until.map(|until| until.0),
            "node": self.node,
            "kind": self.kind.name(),
            "text": self.text,
            "violates": self.violates.iter().map(|property| property.name()).collect::<Vec<_>>(),
        })
    }
}

/// A point in time as chains write it: `10.093 s`.
pub(crate) fn moment(at: SimTime) -> String {
    format!("{:.3} s", at.0 as f64 / 1e9)
}

//! Explains why a property was violated, from the record of the case. The chain of causes runs from the first grant
//! involved to the violation, in the order of true time.

mod builder;
mod fault_causes;
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

use crate::case_record::CaseRecord;
use crate::text::{listed, moment, visible};

use self::builder::ChainBuilder;

/// The explanation of one violated property.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The property.
    pub property: Property,
    /// The time of the violation.
    pub at: SimTime,
    /// What the checker found, in one sentence.
    pub sentence: String,
    /// The grants involved, starting with the one that went wrong.
    pub grants: Vec<GrantId>,
    /// The grants that the evidence names, in the order of the evidence.
    pub named_grants: Vec<GrantId>,
    /// The causes, in the order of true time.
    pub causes: Vec<Cause>,
}

/// One cause in a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The start, in true time.
    pub at: SimTime,
    /// The end, if the cause lasted and ended.
    pub until: Option<SimTime>,
    /// The node, if it happened at one.
    pub node: Option<String>,
    /// The kind.
    pub kind: CauseKind,
    /// What happened, as a clause: `client-2 was paused until 24.000 s (gc)`.
    pub text: String,
    /// The properties that this cause violates.
    pub violates: Vec<Property>,
    /// Whether it is a write that overwrote versions that its client had not read.
    pub(crate) overwrites: bool,
    pub(crate) node_id: Option<NodeId>,
    /// The grant that the event belongs to.
    pub(crate) grant: Option<GrantId>,
    /// The index of its entry in the record.
    pub(crate) seq: usize,
}

/// The kind of a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CauseKind {
    /// A client tried to acquire the lock, or was enqueued.
    Waited,
    /// A client acquired the lock.
    Acquired,
    /// A server granted the lock to a client.
    Granted,
    /// A fault was active.
    Fault,
    /// The service's record of a grant ended: it expired, or was revoked or released.
    Ended,
    /// The service kept a grant on record.
    Kept,
    /// A server became leader.
    Led,
    /// The store was read.
    Read,
    /// A client sent an operation.
    Sent,
    /// The store accepted a write.
    Wrote,
    /// The store rejected an operation.
    Refused,
    /// A client released the lock.
    Released,
    /// The store lost accepted writes.
    RolledBack,
    /// All faults were healed.
    Healed,
    /// The deadline of a promise passed.
    Due,
    /// Anything else.
    Other,
}

impl CauseKind {
    /// Returns the name used in JSON.
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

/// Returns one chain for each violated property, in the order of [`Property::ALL`].
pub fn chains(record: &CaseRecord) -> Vec<Chain> {
    record.report.evidence.iter().map(|evidence| chain(record, evidence)).collect()
}

/// Returns the chain of the most severe violation. A violation without grants, such as a wrong sum, explains less, so
/// it is chosen only if all others are expected.
pub fn most_severe(chains: &[Chain]) -> Option<&Chain> {
    let order = |chain: &&Chain| {
        let severity = chain.property.severity();
        (severity == Severity::Expected, chain.named_grants.is_empty(), severity, chain.property)
    };
    chains.iter().min_by_key(order)
}

/// Builds the chain of one violation.
pub fn chain(record: &CaseRecord, evidence: &Evidence) -> Chain {
    let mut builder = ChainBuilder::new(record, evidence.at);
    let grants = match evidence.property {
        Property::Takeover => liveness::takeover(&mut builder, evidence),
        Property::Progress => liveness::progress(&mut builder),
        Property::Fifo => liveness::fifo(&mut builder, evidence),
        Property::Reentrancy => single::reentrancy(&mut builder, evidence),
        Property::NoDuplicate => single::duplicate(&mut builder, evidence),
        Property::NoOversell | Property::Consistent => single::sum(&mut builder, evidence.property),
        _ => pair::two_grants(&mut builder, evidence),
    };
    let names = |node: NodeId| node_name(&record.report.nodes, node);
    let sentence = visible(&evidence.render(&names));
    let causes = builder.finish(evidence, &sentence);
    Chain { property: evidence.property, at: evidence.at, sentence, grants, named_grants: evidence.grants(), causes }
}

/// Renders the most severe chain as text, followed by the names of the other violated properties.
pub fn render_causes(chains: &[Chain]) -> String {
    let Some(lead) = most_severe(chains) else { return String::new() };
    let all: Vec<&Chain> = chains.iter().collect();
    let explained: Vec<&str> = lead.causes.iter().flat_map(|cause| lead.violated_by(cause, &all)).collect();
    let was = if explained.len() == 1 { "was" } else { "were" };
    let mut text = format!("Why {} {was} violated:\n", listed(&explained));
    for (index, cause) in lead.causes.iter().enumerate() {
        let here = lead.violated_by(cause, &all);
        let mark = if here.is_empty() { String::new() } else { format!("   ◀ {}", listed(&here)) };
        text += &format!("{:>3}. {:>10}  {}{mark}\n", index + 1, moment(cause.at), cause.text);
    }
    let others: Vec<&str> =
        chains.iter().map(|chain| chain.property.name()).filter(|name| !explained.contains(name)).collect();
    if !others.is_empty() {
        text += &format!("Also violated, with other causes: {} (see `--format json`).\n", listed(&others));
    }
    text
}

impl Chain {
    /// Summarizes the violation: `client-1 wrote after client-2 had acquired the lock`.
    pub fn headline(&self, record: &CaseRecord) -> String {
        let holder = |index: usize| self.grants.get(index).map_or("an unknown client", |grant| record.holder(*grant));
        let (old, new) = (holder(0), holder(1));
        let overwrote = self.causes.iter().any(|cause| !cause.violates.is_empty() && cause.overwrites);
        visible(&match self.property {
            Property::EffectExclusion if overwrote => {
                format!("{old} wrote after {new} had acquired the lock, and overwrote its update")
            }
            Property::EffectExclusion => format!("{old} wrote after {new} had acquired the lock"),
            Property::NoLostUpdate => match self.named_grants.as_slice() {
                [lost, by, ..] => {
                    format!("{} overwrote {}'s acknowledged update", record.holder(*by), record.holder(*lost))
                }
                _ => format!("The store lost {old}'s acknowledged update"),
            },
            Property::NoDuplicate => "One order took effect twice".to_owned(),
            Property::NoOversell => "More units were sold than were in stock".to_owned(),
            Property::OwnerRelease => format!("{old}'s release ended {new}'s grant"),
            Property::Fencing if old == new => format!("The tokens of two grants of {old} did not increase"),
            Property::Fencing => format!("The tokens of {old} and {new} did not increase"),
            Property::GrantExclusion => format!("The lock was granted to {old} and {new} at the same time"),
            Property::ValidityExclusion => format!("{old} and {new} held valid grants at the same time"),
            Property::BeliefExclusion => format!("{old} and {new} believed at the same time that they held the lock"),
            Property::Consistent => "The sum of the accounts changed".to_owned(),
            Property::Linearizable => format!("The replies to {old} fit no legal order of one lock"),
            Property::Takeover => format!("No client acquired the lock after {old} had crashed"),
            Property::Progress => "No client acquired the lock after all faults were healed".to_owned(),
            Property::Fifo => format!("{new} acquired the lock before {old}, which had waited longer"),
            Property::Reentrancy => format!("{old}'s second acquire did not behave as the lock declares"),
            _ => self.sentence.clone(),
        })
    }

    /// Returns whether this chain also explains `other`: both are about the same grants.
    pub(crate) fn explains(&self, other: &Chain) -> bool {
        self.property == other.property || self.sorted_grants() == other.sorted_grants()
    }

    /// Returns the properties that a cause of this chain violates, according to all chains about the same grants.
    pub(crate) fn violated_by<'a>(&self, cause: &Cause, chains: &[&'a Chain]) -> Vec<&'a str> {
        let violated = |chain: &&&Chain| chain.causes.iter().any(|other| !other.violates.is_empty() && other.is(cause));
        let here = chains.iter().filter(|chain| self.explains(chain)).filter(violated);
        here.map(|chain| chain.property.name()).collect()
    }

    fn sorted_grants(&self) -> Vec<GrantId> {
        let mut grants = self.grants.clone();
        grants.sort_unstable();
        grants
    }

    /// Returns the causes as JSON.
    pub fn json(&self) -> Value {
        Value::Array(self.causes.iter().map(Cause::json).collect())
    }
}

impl Cause {
    /// Returns whether both causes are the same event, even if the texts differ.
    pub(crate) fn is(&self, other: &Cause) -> bool {
        let event = |cause: &Cause| (cause.at, cause.seq, cause.kind, cause.node_id, cause.grant);
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

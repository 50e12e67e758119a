//! Evidence: the first violation of a property, told in one sentence a person can follow.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use fencepost_models::history::GrantId;
use fencepost_sim::NodeId;
use fencepost_sim::time::{SimTime, nanos};

use crate::ledger::Rank;
use crate::property::Property;

/// The first violation of a property in a case. It prints as one sentence; [`Evidence::told`] puts names into it.
#[derive(Debug)]
pub struct Evidence {
    /// The property that was violated.
    pub property: Property,
    /// When.
    pub at: SimTime,
    detail: Box<dyn Detail>,
}

/// Names for nodes, to tell a story with.
pub trait NodeNames {
    /// The name of a node, as in `client-2`.
    fn name(&self, node: NodeId) -> Cow<'_, str>;
}

impl<F: Fn(NodeId) -> String> NodeNames for F {
    fn name(&self, node: NodeId) -> Cow<'_, str> {
        Cow::Owned(self(node))
    }
}

/// Evidence with names, ready to print.
pub struct Told<'a> {
    evidence: &'a Evidence,
    names: &'a dyn NodeNames,
}

/// What exactly happened: plain data, which becomes text only when somebody reads it.
pub(crate) trait Detail: fmt::Debug + Send + Sync {
    /// Writes one sentence, without a full stop.
    fn tell(&self, f: &mut fmt::Formatter<'_>, names: &dyn NodeNames) -> fmt::Result;

    /// The grants that the sentence names.
    fn parties(&self) -> Vec<Party> {
        Vec::new()
    }
}

/// A grant as it appears in a sentence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Party {
    pub(crate) grant: GrantId,
    pub(crate) client: Option<NodeId>,
    pub(crate) rank: Option<Rank>,
}

impl Evidence {
    pub(crate) fn new(property: Property, at: SimTime, detail: impl Detail + 'static) -> Evidence {
        Evidence { property, at, detail: Box::new(detail) }
    }

    /// The grants that the sentence names.
    pub fn grants(&self) -> Vec<GrantId> {
        self.detail.parties().iter().map(|party| party.grant).collect()
    }

    /// The clients that the sentence names.
    pub fn clients(&self) -> Vec<NodeId> {
        self.detail.parties().iter().filter_map(|party| party.client).collect()
    }

    /// The evidence as a sentence with these names.
    pub fn told<'a>(&'a self, names: &'a dyn NodeNames) -> Told<'a> {
        Told { evidence: self, names }
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.evidence.detail.tell(f, self.names)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.detail.tell(f, &|node: NodeId| format!("node {}", node.0))
    }
}

impl Party {
    /// `client-2's`, or `somebody's`.
    pub(crate) fn whose(self, names: &dyn NodeNames) -> String {
        format!("{}'s", self.who(names))
    }

    /// `client-2`, or `somebody`.
    pub(crate) fn who(self, names: &dyn NodeNames) -> Cow<'_, str> {
        self.client.map_or(Cow::Borrowed("somebody"), |client| names.name(client))
    }
}

impl fmt::Display for Party {
    /// `grant 7, 2nd in the grant order`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "grant {}", self.grant.0)?;
        match self.rank {
            Some(rank) => write!(f, ", {}{} in the grant order", rank, ordinal_ending(rank.get())),
            None => Ok(()),
        }
    }
}

/// A length of time as text, in the form in which points in time print.
pub(crate) fn length(duration: Duration) -> SimTime {
    SimTime(nanos(duration))
}

/// `1 unit`, `2 units`.
pub(crate) fn units(n: i64) -> String {
    if n == 1 { "1 unit".to_owned() } else { format!("{n} units") }
}

fn ordinal_ending(n: u32) -> &'static str {
    match (n % 100, n % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_read_as_english() {
        let endings = [1, 2, 3, 4, 11, 12, 13, 21, 22, 103, 111].map(ordinal_ending);
        assert_eq!(endings, ["st", "nd", "rd", "th", "th", "th", "th", "st", "nd", "rd", "th"]);
    }
}

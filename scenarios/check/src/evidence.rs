//! Evidence: the first violation of a property, as one sentence.

use std::fmt;
use std::time::Duration;

use fencepost_models::history::GrantId;
use fencepost_sim::NodeId;
use fencepost_sim::time::{SimTime, nanos};

use crate::ledger::Rank;
use crate::property::Property;

/// The first violation of a property in a case. [`Evidence::render`] returns the sentence.
pub struct Evidence {
    /// The property that was violated.
    pub property: Property,
    /// The true time of the violation.
    pub at: SimTime,
    grants: Vec<GrantInfo>,
    sentence: Box<Sentence>,
}

/// Renders the text on demand, since searches discard most evidence.
type Sentence = dyn Fn(&Names) -> String + Send + Sync;

/// The names of nodes, such as `client-2`.
pub(crate) struct Names<'a>(&'a dyn Fn(NodeId) -> String);

/// A grant as it appears in a sentence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GrantInfo {
    pub(crate) grant: GrantId,
    pub(crate) client: Option<NodeId>,
    pub(crate) rank: Option<Rank>,
}

impl Evidence {
    pub(crate) fn new(
        property: Property,
        at: SimTime,
        grants: impl IntoIterator<Item = GrantInfo>,
        sentence: impl Fn(&Names) -> String + Send + Sync + 'static,
    ) -> Evidence {
        Evidence { property, at, grants: grants.into_iter().collect(), sentence: Box::new(sentence) }
    }

    /// Returns the grants that the sentence names.
    pub fn grants(&self) -> Vec<GrantId> {
        self.grants.iter().map(|info| info.grant).collect()
    }

    /// Returns the clients that the sentence names.
    pub fn clients(&self) -> Vec<NodeId> {
        self.grants.iter().filter_map(|info| info.client).collect()
    }

    /// Renders one sentence without a full stop. `name` returns the name of a node.
    pub fn render(&self, name: &dyn Fn(NodeId) -> String) -> String {
        (self.sentence)(&Names(name))
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&|node| format!("node {}", node.0)))
    }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {self}", self.property.name(), self.at)
    }
}

impl Names<'_> {
    pub(crate) fn node(&self, node: NodeId) -> String {
        (self.0)(node)
    }

    /// Returns the name of the grant's client.
    pub(crate) fn client(&self, grant: GrantInfo) -> String {
        grant.client.map_or_else(|| "an unknown client".to_owned(), |client| self.node(client))
    }
}

impl fmt::Display for GrantInfo {
    /// Formats the grant as in `grant 7, 2nd in the grant order`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "grant {}", self.grant.0)?;
        match self.rank {
            Some(rank) => write!(f, ", {}{} in the grant order", rank, ordinal_suffix(rank.get())),
            None => Ok(()),
        }
    }
}

/// Converts a duration for display in the format of points in time.
pub(crate) fn in_seconds(duration: Duration) -> SimTime {
    SimTime(nanos(duration))
}

fn ordinal_suffix(n: u32) -> &'static str {
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
    fn ordinals_have_english_suffixes() {
        let suffixes = [1, 2, 3, 4, 11, 12, 13, 21, 22, 103, 111].map(ordinal_suffix);
        assert_eq!(suffixes, ["st", "nd", "rd", "th", "th", "th", "th", "st", "nd", "rd", "th"]);
    }
}

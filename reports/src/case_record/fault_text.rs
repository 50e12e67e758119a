//! The wording of a fault, from the phrases of its kind.

use fencepost_sim::NodeId;
use fencepost_sim::faults::FaultInfo;

use super::names::CaseNames;

/// One injection of a fault.
pub(crate) struct FaultRecord {
    pub name: String,
    pub kind: &'static FaultInfo,
    pub nodes: Vec<NodeId>,
    pub links: Vec<(NodeId, NodeId)>,
}

/// The values for the placeholders in a fault's phrases. See [`fencepost_sim::faults::Phrases`] for their meanings.
#[derive(Default)]
pub(crate) struct Details {
    pub duration: String,
    pub lasted: String,
    pub until: String,
    pub restart: String,
    pub step: String,
    pub drift: String,
}

impl FaultRecord {
    /// Returns ` (NAME)`, or an empty string if the fault has no name.
    fn name_in_parentheses(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!(" ({})", self.name) }
    }

    /// Fills in a phrase of the fault's kind.
    pub(crate) fn fill(&self, phrase: &str, names: &CaseNames, details: &Details) -> String {
        let (was, its) = if self.nodes.len() == 1 { ("was", "its") } else { ("were", "their") };
        let nodes = names.list(self.nodes.iter().copied());
        let values = [
            ("{nodes}", nodes.as_str()),
            ("{was}", was),
            ("{its}", its),
            ("{kind}", self.kind.name),
            ("{duration}", &details.duration),
            ("{lasted}", &details.lasted),
            ("{until}", &details.until),
            ("{restart}", &details.restart),
            ("{step}", &details.step),
            ("{drift}", &details.drift),
            ("{fault}", &self.name_in_parentheses()),
        ];
        values.into_iter().fold(phrase.to_owned(), |text, (key, value)| text.replace(key, value))
    }

    /// `client-1 paused (gc)`, `client-1 and redis-1 partitioned from client-2 (split)`.
    pub(crate) fn summary(&self, names: &CaseNames, details: &Details) -> String {
        match self.links.is_empty() {
            true => self.fill(self.kind.phrases.active, names, details),
            false => format!("{}{}", self.links_text(names), self.name_in_parentheses()),
        }
    }

    /// `client-2 was paused until 24.000 s (gc); its clocks ran on`.
    pub(crate) fn past(&self, names: &CaseNames, details: &Details) -> String {
        match self.links.is_empty() {
            true => self.fill(self.kind.phrases.past, names, details),
            false => format!("{}{}{}", self.links_text(names), details.until, self.name_in_parentheses()),
        }
    }

    /// Returns the log line for the end of a fault on links.
    pub(crate) fn links_ended(&self, names: &CaseNames, details: &Details) -> String {
        let verb = if self.kind.cuts_links { "healed" } else { "ended" };
        format!("{verb} after {}: {}", details.duration, self.summary(names, details))
    }

    /// Describes the effect on the links, such as `client-1 partitioned from all other nodes`.
    fn links_text(&self, names: &CaseNames) -> String {
        let (from, to) = sides(&self.links);
        let complete = |directions: usize| from.len() * to.len() * directions == self.links.len();
        let everywhere = complete(2) && from.len() + to.len() == names.len();
        let [left, right] = [&from, &to].map(|side| names.list(side.iter().copied()));
        let (few, fewest) = if from.len() <= to.len() { (&left, from.len()) } else { (&right, to.len()) };
        let (kind, count) = (self.kind.name, self.links.len());
        match self.kind.cuts_links {
            true if everywhere => format!("{few} partitioned from all other nodes"),
            true if complete(2) => format!("{left} partitioned from {right}"),
            true if complete(1) => format!("no message from {left} reaches {right}"),
            true => format!("{count} links cut"),
            false if everywhere && fewest == 1 => format!("{kind} on all links of {few}"),
            false if complete(2) => format!("{kind} between {left} and {right}"),
            false if complete(1) => format!("{kind} from {left} to {right}"),
            false => format!("{kind} on {count} links"),
        }
    }
}

/// Returns the two sides of the links, if the links connect each node of one side to each node of the other.
fn sides(links: &[(NodeId, NodeId)]) -> (Vec<NodeId>, Vec<NodeId>) {
    let Some(&(first, _)) = links.first() else { return (Vec::new(), Vec::new()) };
    let ends = |from: NodeId| links.iter().filter(move |link| link.0 == from).map(|link| link.1);
    let to: Vec<NodeId> = ends(first).collect();
    let mut from: Vec<NodeId> = links.iter().filter(|link| link.1 == to[0]).map(|link| link.0).collect();
    from.dedup();
    (from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_has_two_sides() {
        let [a, b, c] = [0, 1, 2].map(NodeId);
        assert_eq!(sides(&[(a, b), (b, a), (a, c), (c, a)]), (vec![a], vec![b, c]));
        assert_eq!(sides(&[(a, c), (b, c)]), (vec![a, b], vec![c]));
    }
}

//! The log lines of faults, and which faults are active.

use fencepost_sim::faults::FaultInfo;
use fencepost_sim::schedule::Placement;
use fencepost_sim::{Clocks, NodeId, SimTime};

use super::cast::Cast;
use super::clocks::{ahead, seconds, signed};

/// One injection of a fault.
pub(crate) struct FaultRecord {
    pub name: String,
    pub kind: &'static FaultInfo,
    pub nodes: Vec<NodeId>,
    pub links: Vec<(NodeId, NodeId)>,
}

/// What the wording of a fault is filled in with. See [`fencepost_sim::faults::Phrases`] for the meaning of each.
#[derive(Default)]
pub(crate) struct Details {
    pub duration: String,
    pub lasted: String,
    pub until: String,
    pub restart: String,
    pub step: String,
    pub drift: String,
}

/// An injection that has begun and not ended.
struct Active {
    fault: FaultRecord,
    since: SimTime,
}

/// Nodes whose wall clocks are about to step. The size of the step shows only afterwards.
struct Stepping {
    at: SimTime,
    fault: FaultRecord,
    before: Vec<(NodeId, i64)>,
}

#[derive(Default)]
pub(crate) struct Faults {
    active: Vec<Active>,
    stepping: Option<Stepping>,
    /// The name of the fault that is ending at this moment.
    ending: Option<String>,
    /// The crash that is happening at this moment.
    crashing: Option<FaultRecord>,
}

/// A log line of a fault.
pub(crate) struct News {
    pub at: SimTime,
    pub node: Option<NodeId>,
    pub words: String,
}

impl FaultRecord {
    fn is_at(&self, placement: &Placement) -> bool {
        self.nodes == placement.nodes && self.links == placement.links
    }

    /// ` (NAME)`, or nothing if it has no name.
    fn name_in_parentheses(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!(" ({})", self.name) }
    }

    /// Fills in a phrase of its kind.
    pub(crate) fn fill(&self, phrase: &str, cast: &Cast, details: &Details) -> String {
        let (was, its) = if self.nodes.len() == 1 { ("was", "its") } else { ("were", "their") };
        let nodes = cast.list(self.nodes.iter().copied());
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
    pub(crate) fn summary(&self, cast: &Cast, details: &Details) -> String {
        match self.links.is_empty() {
            true => self.fill(self.kind.phrases.active, cast, details),
            false => format!("{}{}", self.links_text(cast), self.name_in_parentheses()),
        }
    }

    /// `client-2 was paused until 24.000 s (gc); its clocks ran on`.
    pub(crate) fn past(&self, cast: &Cast, details: &Details) -> String {
        match self.links.is_empty() {
            true => self.fill(self.kind.phrases.past, cast, details),
            false => format!("{}{}{}", self.links_text(cast), details.until, self.name_in_parentheses()),
        }
    }

    /// What happens on its links, such as `client-1 partitioned from all other nodes`.
    fn links_text(&self, cast: &Cast) -> String {
        let (from, to) = sides(&self.links);
        let complete = |directions: usize| from.len() * to.len() * directions == self.links.len();
        let everywhere = complete(2) && from.len() + to.len() == cast.len();
        let [left, right] = [&from, &to].map(|side| cast.list(side.iter().copied()));
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

impl Faults {
    /// A fault begins. Crashes and steps of clocks get their lines once they have happened.
    pub fn begin(&mut self, at: SimTime, clocks: &Clocks, fault: FaultRecord, cast: &Cast) -> Vec<News> {
        if fault.kind.steps_clocks() {
            let before = fault.nodes.iter().map(|node| (*node, ahead(clocks, *node, at).1)).collect();
            self.stepping = Some(Stepping { at, fault, before });
            return Vec::new();
        }
        if fault.kind.crashes() {
            self.crashing = Some(fault);
            return Vec::new();
        }
        let none = Details::default();
        let news = match fault.links.is_empty() {
            true => at_each_node(at, &fault, &fault.fill(fault.kind.phrases.began, cast, &none)),
            false => vec![News { at, node: None, words: fault.summary(cast, &none) }],
        };
        self.active.push(Active { fault, since: at });
        news
    }

    /// The lines of a clock step that has just happened.
    pub fn stepped(&mut self, at: SimTime, clocks: &Clocks, cast: &Cast) -> Vec<News> {
        let Some(Stepping { at: began, fault, before }) = self.stepping.take() else { return Vec::new() };
        let line = |(node, before): (NodeId, i64)| {
            let step = format!(" {}", signed(ahead(clocks, node, at).1 - before));
            let details = Details { step, ..Details::default() };
            News { at: began, node: Some(node), words: fault.fill(fault.kind.phrases.began, cast, &details) }
        };
        before.into_iter().map(line).collect()
    }

    pub fn crashed(&self, at: SimTime, node: NodeId, cast: &Cast) -> News {
        let crash = self.crashing.as_ref();
        let words = crash.map(|fault| fault.fill(fault.kind.phrases.began, cast, &Details::default()));
        News { at, node: Some(node), words: words.unwrap_or_else(|| "crashed".to_owned()) }
    }

    /// The fault of this name is about to end somewhere.
    pub fn ending(&mut self, name: &str) {
        self.ending = Some(name.to_owned());
    }

    /// The fault that is ending has ended at this placement.
    pub fn ended(&mut self, at: SimTime, placement: &Placement, cast: &Cast) -> Vec<News> {
        let Some(name) = self.ending.take() else { return Vec::new() };
        let is_it = |one: &Active| one.fault.name == name && one.fault.is_at(placement);
        let Some(index) = self.active.iter().position(is_it) else { return Vec::new() };
        let Active { fault, since } = self.active.remove(index);
        let details = Details { duration: seconds(at.0 - since.0), ..Details::default() };
        let still_paused =
            |node: &NodeId| self.active.iter().any(|one| one.fault.kind.pauses() && one.fault.nodes.contains(node));
        if fault.kind.pauses() && fault.nodes.iter().all(still_paused) {
            let words = format!("still paused: one of its overlapping pauses ended after {}", details.duration);
            return vec![News { at, node: fault.nodes.first().copied(), words }];
        }
        if fault.links.is_empty() {
            return at_each_node(at, &fault, &fault.fill(fault.kind.phrases.ended, cast, &details));
        }
        let verb = if fault.kind.cuts_links { "healed" } else { "ended" };
        let words = format!("{verb} after {}: {}", details.duration, fault.summary(cast, &details));
        vec![News { at, node: None, words }]
    }

    /// The faults that are active, for a log that begins in the middle.
    pub fn still_active(&self, cast: &Cast) -> Vec<String> {
        let text = |one: &Active| format!("{} since {}", one.fault.summary(cast, &Details::default()), one.since);
        self.active.iter().map(text).collect()
    }
}

fn at_each_node(at: SimTime, fault: &FaultRecord, words: &str) -> Vec<News> {
    fault.nodes.iter().map(|node| News { at, node: Some(*node), words: words.to_owned() }).collect()
}

/// The two sides of the links, if they go from each node of one side to each of the other.
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

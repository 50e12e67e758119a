//! Faults in plain words, and which of them are in force.

use fencepost_sim::schedule::Placement;
use fencepost_sim::{Clocks, NodeId, SimTime};

use super::cast::Cast;
use super::clocks::{ahead, seconds, signed};

/// A fault in the words of the trace.
pub(crate) struct Begun {
    pub name: String,
    pub kind: String,
    pub nodes: Vec<NodeId>,
    pub links: Vec<(NodeId, NodeId)>,
}

/// An injection that has begun and not ended.
struct InForce {
    fault: Begun,
    since: SimTime,
}

/// Wall clocks that a fault is about to step: by how much shows only afterwards.
struct Stepping {
    at: SimTime,
    name: String,
    before: Vec<(NodeId, i64)>,
}

#[derive(Default)]
pub(crate) struct Faults {
    in_force: Vec<InForce>,
    stepping: Option<Stepping>,
    /// The name of the fault that is just ending.
    ending: Option<String>,
    /// The name of the crash that is just happening.
    crashing: Option<String>,
}

/// One thing to tell of a fault.
pub(crate) struct News {
    pub at: SimTime,
    pub node: Option<NodeId>,
    pub words: String,
}

impl Begun {
    fn is_at(&self, placement: &Placement) -> bool {
        self.nodes == placement.nodes && self.links == placement.links
    }

    /// The fault's name, as an aside.
    fn called(&self) -> String {
        format!(" ({})", self.name)
    }
}

impl Faults {
    /// A fault begins. A crash and a clock step are told when they have happened.
    pub fn begin(&mut self, at: SimTime, clocks: &Clocks, fault: Begun, cast: &Cast) -> Vec<News> {
        match fault.kind.as_str() {
            "clock-step" => {
                let before = fault.nodes.iter().map(|node| (*node, ahead(clocks, *node, at).1)).collect();
                self.stepping = Some(Stepping { at, name: fault.name, before });
                return Vec::new();
            }
            "crash" => {
                self.crashing = Some(fault.name);
                return Vec::new();
            }
            _ => {}
        }
        let news = begin_words(&fault, cast).into_iter().map(|(node, words)| News { at, node, words }).collect();
        self.in_force.push(InForce { fault, since: at });
        news
    }

    /// What the clock step before this moment came to.
    pub fn stepped(&mut self, at: SimTime, clocks: &Clocks) -> Vec<News> {
        let Some(Stepping { at: then, name, before }) = self.stepping.take() else { return Vec::new() };
        let news = before.into_iter().map(|(node, before)| {
            let by = signed(ahead(clocks, node, at).1 - before);
            News { at: then, node: Some(node), words: format!("its wall clock steps by {by} ({name})") }
        });
        news.collect()
    }

    pub fn crashed(&self, at: SimTime, node: NodeId) -> News {
        let why = self.crashing.as_ref().map_or(String::new(), |name| format!(" ({name})"));
        News { at, node: Some(node), words: format!("crashes{why}") }
    }

    /// The fault of this name is about to end somewhere.
    pub fn ending(&mut self, name: &str) {
        self.ending = Some(name.to_owned());
    }

    /// And there it ended.
    pub fn ended(&mut self, at: SimTime, placement: &Placement, cast: &Cast) -> Vec<News> {
        let Some(name) = self.ending.take() else { return Vec::new() };
        let is_it = |one: &InForce| one.fault.name == name && one.fault.is_at(placement);
        let Some(place) = self.in_force.iter().position(is_it) else { return Vec::new() };
        let InForce { fault, since } = self.in_force.remove(place);
        let after = seconds(at.0 - since.0);
        let stops = |fault: &Begun| matches!(fault.kind.as_str(), "pause" | "vm-pause");
        let still_stopped =
            |node: &NodeId| self.in_force.iter().any(|one| stops(&one.fault) && one.fault.nodes.contains(node));
        if stops(&fault) && fault.nodes.iter().all(still_stopped) {
            let words = format!("stays stopped: only one of its overlapping pauses is over after {after}");
            return vec![News { at, node: fault.nodes.first().copied(), words }];
        }
        end_words(&fault, &after, cast).into_iter().map(|(node, words)| News { at, node, words }).collect()
    }

    /// What goes on at this moment, for a telling that begins in the middle.
    pub fn still_on(&self, cast: &Cast) -> Vec<String> {
        let told = |one: &InForce| format!("{} since {}", one.fault.summary(cast), one.since);
        self.in_force.iter().map(told).collect()
    }
}

type Words = Vec<(Option<NodeId>, String)>;

fn at_each(fault: &Begun, words: impl Fn() -> String) -> Words {
    fault.nodes.iter().map(|node| (Some(*node), words())).collect()
}

fn begin_words(fault: &Begun, cast: &Cast) -> Words {
    let called = fault.called();
    match fault.kind.as_str() {
        "pause" => at_each(fault, || format!("is paused{called}: its process stands still, its clocks run on")),
        "vm-pause" => {
            at_each(fault, || format!("its machine is stopped{called}: process and monotonic clock stand still"))
        }
        "clock-rate" => at_each(fault, || format!("its clocks begin to run at a wrong rate{called}")),
        "clock-strobe" => at_each(fault, || format!("its wall clock begins to jump away and back{called}")),
        "slow" => at_each(fault, || format!("becomes slow{called}: all that it deals with takes longer")),
        "disk-stall" => at_each(fault, || format!("its disk goes bad{called}: what it syncs is late or not safe")),
        "failover" => {
            at_each(fault, || format!("is lost from the other servers' sight{called}: they are to replace it"))
        }
        _ if fault.links.is_empty() => at_each(fault, || format!("{} begins{called}", fault.kind)),
        _ => vec![(None, fault.summary(cast))],
    }
}

fn end_words(fault: &Begun, after: &str, cast: &Cast) -> Words {
    let called = fault.called();
    match fault.kind.as_str() {
        "pause" => at_each(fault, || format!("goes on after {after}{called}")),
        "vm-pause" => {
            at_each(fault, || format!("its machine goes on after {after}{called}, a monotonic clock behind the world"))
        }
        "clock-rate" => at_each(fault, || format!("its clocks run right again after {after}{called}")),
        "clock-strobe" => at_each(fault, || format!("its wall clock is back for good after {after}{called}")),
        "slow" => at_each(fault, || format!("is as fast as before after {after}{called}")),
        "disk-stall" => at_each(fault, || format!("its disk is well again after {after}{called}")),
        "failover" => at_each(fault, || format!("is in the other servers' sight again after {after}{called}")),
        _ if fault.links.is_empty() => at_each(fault, || format!("{} is over after {after}{called}", fault.kind)),
        _ => vec![(None, format!("over after {after}: {}", fault.was(cast)))],
    }
}

impl Begun {
    /// The same in the past.
    pub(crate) fn was(&self, cast: &Cast) -> String {
        self.summary(cast).replacen(" is cut off", " was cut off", 1).replacen(" are cut", " were cut", 1)
    }

    /// `client-1 is paused (gc)`, `client-1 and redis-1 are cut off from client-2 (split)`.
    pub(crate) fn summary(&self, cast: &Cast) -> String {
        let called = self.called();
        if self.links.is_empty() {
            let nodes = cast.list(self.nodes.iter().copied());
            return match self.kind.as_str() {
                "pause" => format!("{nodes} paused{called}"),
                "clock-strobe" => format!("the wall clock of {nodes} jumps{called}"),
                "slow" => format!("{nodes} slow{called}"),
                "disk-stall" => format!("the disk of {nodes} bad{called}"),
                "failover" => format!("{nodes} out of the other servers' sight{called}"),
                kind => format!("{kind} at {nodes}{called}"),
            };
        }
        let (from, to) = sides(&self.links);
        let complete = |both: usize| from.len() * to.len() * both == self.links.len();
        let [left, right] = [&from, &to].map(|side| cast.list(side.iter().copied()));
        let few = if from.len() <= to.len() { &from } else { &to };
        match self.kind.as_str() {
            "partition" if complete(2) && from.len() + to.len() == cast.len() => {
                let verb = if few.len() == 1 { "is" } else { "are" };
                format!("{} {verb} cut off from everybody else{called}", cast.list(few.iter().copied()))
            }
            "partition" if complete(2) => format!("cut off from each other: {left} | {right}{called}"),
            "partition" if complete(1) => format!("nothing gets from {left} to {right}{called}"),
            "partition" => format!("{} links are cut{called}", self.links.len()),
            kind if complete(2) && few.len() == 1 && from.len() + to.len() == cast.len() => {
                format!("{kind} on all links of {}{called}", cast.list(few.iter().copied()))
            }
            kind if complete(2) => format!("{kind} between {left} and {right}{called}"),
            kind if complete(1) => format!("{kind} from {left} to {right}{called}"),
            kind => format!("{kind} on {} links{called}", self.links.len()),
        }
    }
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

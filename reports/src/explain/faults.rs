//! Which faults separated what a client believed from what was true, and how that is said.

use fencepost_sim::{NodeId, SimTime};

use super::links::Links;
use super::moment;
use crate::case_run::{CaseRun, GrantStory, Span};
use crate::narrative::clocks::signed;

/// At most so many faults are in a chain.
const MOST: usize = 3;

/// What a chain is about: faults are weighed by what they have to do with it.
pub(super) struct Scene<'a> {
    /// The grant that went wrong first.
    pub old: Option<&'a GrantStory>,
    /// The one that came into its way.
    pub new: Option<&'a GrantStory>,
    pub from: SimTime,
    pub to: SimTime,
}

/// The faults that matter, each with how much.
pub(super) fn relevant<'a>(run: &'a CaseRun, scene: &Scene<'_>) -> Vec<(u8, &'a Span)> {
    let mut found: Vec<(u8, &Span)> = Vec::new();
    for span in run.spans.iter().filter(|span| span.overlaps(scene.from, scene.to) || leaves_a_mark(span, scene)) {
        let weight = weight(run, span, scene);
        if weight > 0 {
            found.push((weight, span));
        }
    }
    found
        .sort_by_key(|(weight, span)| (std::cmp::Reverse(*weight), std::cmp::Reverse(overlap(span, scene)), span.from));
    // What has little to do with it is left out beside what has much.
    let strong = found.iter().any(|(weight, _)| *weight >= 6);
    found.retain(|(weight, _)| !strong || *weight >= 6);
    found.truncate(MOST);
    found
}

/// A clock that was moved stays so.
fn leaves_a_mark(span: &Span, scene: &Scene<'_>) -> bool {
    span.from < scene.from && span.shifts.iter().any(|(_, mono, wall)| mono.abs().max(wall.abs()) > 100_000_000)
}

fn overlap(span: &Span, scene: &Scene<'_>) -> u64 {
    let to = span.to.unwrap_or(scene.to).min(scene.to);
    to.0.saturating_sub(span.from.max(scene.from).0)
}

fn weight(run: &CaseRun, span: &Span, scene: &Scene<'_>) -> u8 {
    let old = scene.old.and_then(|story| story.client);
    let new = scene.new.and_then(|story| story.client);
    let at = |node: Option<NodeId>| node.is_some_and(|node| span.fault.nodes.contains(&node));
    let at_server = span.fault.nodes.iter().any(|node| run.servers.contains(node));
    let past = span.from < scene.from && !span.overlaps(scene.from, scene.to);
    // What happened to the service once the lock was free explains nothing.
    let came = scene.new.and_then(|story| story.granted(run.servers.len()));
    let ended = scene.old.and_then(|story| story.record_end(run.servers.len())).map(|end| end.at);
    let free = [came, ended.filter(|_| came.is_some())].into_iter().flatten().min();
    let too_late = free.is_some_and(|free| span.from > free) && !at(old);
    match span.fault.kind.as_str() {
        "clock-step" | "clock-rate" | "clock-strobe" if too_late && at_server => 2,
        "clock-step" | "clock-rate" | "clock-strobe" if at_server || at(old) => {
            if past {
                6
            } else {
                8
            }
        }
        _ if past => 0,
        _ if too_late && at_server => 2,
        "pause" | "vm-pause" | "slow" if at(old) => 9,
        "crash" if at(old) => 8,
        "crash" if gave(scene.old, span) => 9,
        "crash" if at_server => 7,
        "disk-stall" | "failover" if at_server => 8,
        _ if at(Some(run.cast.store)) => 6,
        _ if at_server => 6,
        _ if at(new) => 4,
        _ if !span.fault.links.is_empty() => link_weight(run, span, old, new),
        _ => 1,
    }
}

fn gave(story: Option<&GrantStory>, span: &Span) -> bool {
    story.is_some_and(|story| story.given.iter().any(|(_, server)| span.fault.nodes.contains(server)))
}

fn link_weight(run: &CaseRun, span: &Span, old: Option<NodeId>, new: Option<NodeId>) -> u8 {
    let on = |node: Option<NodeId>| node.is_some_and(|node| span.touches(node));
    let between_servers = span.fault.links.iter().any(|(a, b)| run.servers.contains(a) && run.servers.contains(b));
    match (on(old), between_servers, on(new)) {
        (true, ..) => 8,
        (_, true, _) => 7,
        (_, _, true) => 4,
        _ => 1,
    }
}

/// `client-2 was paused until 24.000 s (gc)`.
pub(crate) fn words(run: &CaseRun, span: &Span) -> String {
    let fault = &span.fault;
    let nodes = run.cast.list(fault.nodes.iter().copied());
    let called = if fault.name.is_empty() { String::new() } else { format!(" ({})", fault.name) };
    let until = span.to.map_or(" and for good".to_owned(), |to| format!(" until {}", moment(to)));
    let (was, crowd) = if fault.nodes.len() == 1 { ("was", "its") } else { ("were", "their") };
    match fault.kind.as_str() {
        _ if !fault.links.is_empty() => format!("{}{until}", fault.was(&run.cast)),
        "pause" => format!("{nodes} {was} paused{until}{called}; {crowd} clocks ran on"),
        "vm-pause" => format!("{nodes}'s machine stood still{until}{called}, and its monotonic clock with it"),
        "crash" => match span.to {
            Some(to) => format!("{nodes} crashed{called}, and {was} up again at {}", moment(to)),
            None => format!("{nodes} crashed{called}, and stayed down"),
        },
        "clock-step" => {
            let by = span.shifts.first().map_or(String::new(), |(_, _, wall)| format!(" by {}", signed(*wall)));
            format!("the wall clock of {nodes} stepped{by}{called}")
        }
        "clock-rate" => {
            let by =
                span.shifts.first().map_or(String::new(), |(_, mono, _)| format!(" and went {} off", signed(*mono)));
            format!("the clocks of {nodes} ran at a wrong rate{until}{by}{called}")
        }
        "disk-stall" => format!("what {nodes} synced was late or not safe{until}{called}"),
        "slow" => format!("{nodes} {was} slow{until}{called}"),
        "failover" => format!("{nodes} {was} out of the other servers' sight{until}{called}"),
        "clock-strobe" => format!("the wall clock of {nodes} jumped away and back{until}{called}"),
        kind => format!("{kind} at {nodes}{until}{called}"),
    }
}

/// A fault in few words: `clock-step at redis-1 by +30.0 s (step)`.
pub(crate) fn label(run: &CaseRun, span: &Span) -> String {
    let by = match (span.fault.kind.as_str(), span.shifts.first()) {
        ("clock-step", Some((_, _, wall))) => format!(" by {}", signed(*wall)),
        ("clock-rate", Some((_, mono, _))) => format!(", {} in the end", signed(*mono)),
        _ => String::new(),
    };
    format!("{}{by}", span.fault.summary(&run.cast))
}

impl Links<'_> {
    /// The faults that separated two grants.
    pub fn faults(&mut self, scene: &Scene<'_>) {
        for (weight, span) in relevant(self.run, scene) {
            self.fault(weight, span);
        }
    }
}

//! Which faults explain a violation, and the sentence for each.

use fencepost_sim::{NodeId, SimTime};

use super::links::Links;
use super::moment;
use crate::case_run::{CaseRun, GrantStory, Span};
use crate::narrative::clocks::{seconds, signed};
use crate::narrative::faults::Details;

/// The most faults in a chain of causes.
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

/// The faults that explain the violation, with their weights, strongest first.
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
    let rules = span.fault.kind.cause;
    let own = [(at(old), rules.holder), (gave(scene.old, span), rules.grantor), (at_server, rules.server)];
    let own = own.into_iter().find_map(|(applies, weight)| weight.filter(|_| applies));
    match own {
        _ if past && rules.ended.is_none() => 0,
        _ if too_late && at_server => 2,
        Some(_) if past => rules.ended.unwrap_or(0),
        Some(weight) => weight,
        _ if past => 0,
        _ if at(Some(run.cast.store)) || at_server => 6,
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

/// `client-2 was paused until 24.000 s (gc); its clocks ran on`.
pub(crate) fn words(run: &CaseRun, span: &Span) -> String {
    span.fault.past(&run.cast, &details(span))
}

/// A fault in a few words: `clock of redis-1 stepped +30.0 s (step)`.
pub(crate) fn label(run: &CaseRun, span: &Span) -> String {
    span.fault.summary(&run.cast, &details(span))
}

/// The label on the lane of a node that the fault stops: `paused 15.0 s (gc)`.
pub(crate) fn lane_label(run: &CaseRun, span: &Span) -> String {
    span.fault.fill(span.fault.kind.phrases.lane, &run.cast, &details(span))
}

fn details(span: &Span) -> Details {
    let lasted = span.to.map(|to| seconds(to.0 - span.from.0));
    let shift = span.shifts.first();
    Details {
        lasted: lasted.as_ref().map_or(String::new(), |lasted| format!(" {lasted}")),
        duration: lasted.unwrap_or_default(),
        until: span.to.map_or(" until the end".to_owned(), |to| format!(" until {}", moment(to))),
        restart: match span.to {
            Some(to) => format!(" and restarted at {}", moment(to)),
            None => " and did not restart".to_owned(),
        },
        step: shift.map_or(String::new(), |(_, _, wall)| format!(" {}", signed(*wall))),
        drift: shift.map_or(String::new(), |(_, mono, _)| format!(", {} in all", signed(*mono))),
    }
}

impl Links<'_> {
    /// The faults that separated two grants.
    pub fn faults(&mut self, scene: &Scene<'_>) {
        for (weight, span) in relevant(self.run, scene) {
            self.fault(weight, span);
        }
    }
}

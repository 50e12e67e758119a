//! Selects the faults that explain a violation.

use std::cmp::Reverse;

use fencepost_sim::{NodeId, SimTime};

use super::builder::ChainBuilder;
use crate::case_record::{CaseRecord, FaultSpan, GrantTimeline};

/// The maximum number of faults in a chain of causes.
const MOST: usize = 3;

/// A fault of at least this weight is a strong explanation, and weaker faults are then omitted.
const STRONG: u8 = 6;

/// A past fault still explains a violation if it shifted a clock by more than this.
const LASTING_SHIFT_NS: u64 = 100_000_000;

/// The grants and the interval by which faults are weighted.
pub(super) struct FaultContext<'a> {
    /// The grant that went wrong first.
    pub old: Option<&'a GrantTimeline>,
    /// The grant that conflicts with `old`.
    pub new: Option<&'a GrantTimeline>,
    pub from: SimTime,
    pub to: SimTime,
}

impl ChainBuilder<'_> {
    /// Adds the faults that explain the violation.
    pub fn faults(&mut self, context: &FaultContext<'_>) {
        for (weight, span) in relevant(self.record, context) {
            self.fault(weight, span);
        }
    }
}

/// Returns the faults that explain the violation, with their weights, strongest first.
fn relevant<'a>(record: &'a CaseRecord, context: &FaultContext<'_>) -> Vec<(u8, &'a FaultSpan)> {
    let candidates =
        record.faults.iter().filter(|span| span.overlaps(context.from, context.to) || has_lasting_shift(span, context));
    let mut found: Vec<(u8, &FaultSpan)> =
        candidates.map(|span| (weight(record, span, context), span)).filter(|(weight, _)| *weight > 0).collect();
    found.sort_by_key(|(weight, span)| (Reverse(*weight), Reverse(overlap(span, context)), span.from));
    let strong = found.iter().any(|(weight, _)| *weight >= STRONG);
    found.retain(|(weight, _)| !strong || *weight >= STRONG);
    found.truncate(MOST);
    found
}

fn has_lasting_shift(span: &FaultSpan, context: &FaultContext) -> bool {
    span.from < context.from && span.fault.nodes.iter().any(|node| span.shift(*node).magnitude() > LASTING_SHIFT_NS)
}

/// Returns how long the fault was active within the interval of the context, in nanoseconds.
fn overlap(span: &FaultSpan, context: &FaultContext<'_>) -> u64 {
    let to = span.to.unwrap_or(context.to).min(context.to);
    to.0.saturating_sub(span.from.max(context.from).0)
}

fn weight(record: &CaseRecord, span: &FaultSpan, context: &FaultContext<'_>) -> u8 {
    let servers = record.servers.len();
    let [holder, other] = [context.old, context.new].map(|grant| grant.and_then(|grant| grant.client));
    let at = |node: Option<NodeId>| node.is_some_and(|node| span.fault.nodes.contains(&node));
    let at_server = span.fault.nodes.iter().any(|node| record.servers.contains(node));
    let past = span.from < context.from && !span.overlaps(context.from, context.to);
    // A server fault that began after the lock became free explains little.
    let granted = context.new.and_then(|grant| grant.granted(servers));
    let ended = context.old.and_then(|grant| grant.record_end(servers)).map(|end| end.at);
    let free = [granted, ended.filter(|_| granted.is_some())].into_iter().flatten().min();
    let too_late = free.is_some_and(|free| span.from > free) && !at(holder);
    let rules = span.fault.kind.cause;
    let rules_by_role =
        [(at(holder), rules.holder), (at_grantor(context.old, span), rules.grantor), (at_server, rules.server)];
    let rule = rules_by_role.into_iter().find_map(|(applies, weight)| weight.filter(|_| applies));
    match rule {
        _ if past && rules.ended.is_none() => 0,
        _ if too_late && at_server => 2,
        Some(_) if past => rules.ended.unwrap_or(0),
        Some(weight) => weight,
        None if past => 0,
        None if at(Some(record.names.store)) || at_server => 6,
        None if at(other) => 4,
        None if !span.fault.links.is_empty() => link_weight(record, span, holder, other),
        None => 1,
    }
}

fn at_grantor(grant: Option<&GrantTimeline>, span: &FaultSpan) -> bool {
    grant.is_some_and(|grant| grant.granted_by.iter().any(|(_, server)| span.fault.nodes.contains(server)))
}

fn link_weight(record: &CaseRecord, span: &FaultSpan, holder: Option<NodeId>, other: Option<NodeId>) -> u8 {
    let touches = |node: Option<NodeId>| node.is_some_and(|node| span.touches(node));
    let is_server = |node| record.servers.contains(node);
    let between_servers = span.fault.links.iter().any(|(a, b)| is_server(a) && is_server(b));
    match (touches(holder), between_servers, touches(other)) {
        (true, ..) => 8,
        (_, true, _) => 7,
        (_, _, true) => 4,
        _ => 1,
    }
}

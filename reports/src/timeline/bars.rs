//! Draws states that last: waiting, believing, on record, paused, down.

use fencepost_models::history::Event;
use fencepost_sim::faults::Stops;
use fencepost_sim::{NodeId, SimTime};

use super::labels::Shelf;
use super::metrics::{fitting, width};
use super::paper::{Anchor, Paper};
use super::strip::on_lane;
use super::tracks::{RIGHT, Tracks};
use super::view::DiagramView;
use crate::case_record::{FaultSpan, GrantTimeline};

pub(super) const BAR: f64 = 22.0;
const BAND: f64 = 36.0;
const RECORD: f64 = 9.0;

pub(super) fn draw(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks) {
    for node in &view.nodes {
        if view.record.is_client(*node) {
            waits(paper, view, tracks, *node);
        }
    }
    view.grants.iter().for_each(|grant| belief(paper, view, tracks, grant));
    view.grants.iter().enumerate().for_each(|(index, grant)| records(paper, view, tracks, grant, index));
    let stops: Vec<&FaultSpan> = view.spans.iter().copied().filter(|span| on_lane(span)).collect();
    stops.iter().for_each(|span| stop(paper, view, tracks, span));
    view.nodes.iter().for_each(|node| stop_labels(paper, view, tracks, &stops, *node));
    view.grants.iter().for_each(|grant| belief_label(paper, view, tracks, grant));
}

/// Draws consecutive attempts of a client as one wait.
fn waits(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks, client: NodeId) {
    let mut since: Option<SimTime> = None;
    let mut drawn = Vec::new();
    for (at, event) in view.record.events_between(view.from, view.to) {
        match *event {
            Event::AcquireInvoked { client: who, .. } if who == client => {
                since.get_or_insert(at);
            }
            Event::Acquired { client: who, .. }
            | Event::OrderResolved { client: who, .. }
            | Event::ClientDone { client: who }
                if who == client =>
            {
                drawn.extend(since.take().map(|from| (from, Some(at))));
            }
            _ => {}
        }
    }
    drawn.extend(since.map(|from| (from, None)));
    for (from, to) in &mut drawn {
        *to = view.record.crashed(client, *from).into_iter().chain(*to).min();
    }
    let Some(y) = tracks.y(client) else { return };
    let class = format!("wt s{}", view.colour(Some(client)));
    // The probes after healing are not shown.
    let last = view.causes.last().map_or(view.to, |cause| cause.at);
    let visible_stops = drawn.into_iter().filter(|(from, _)| *from < last);
    let mut labelled = false;
    for (x0, x1) in visible_stops.filter_map(|(from, to)| tracks.extent(view, from, to)) {
        paper.line(&class, (x0, y), (x1, y));
        let label = "wants the lock";
        let is_paused = |span: &&&FaultSpan| {
            span.pauses(client)
                && tracks.extent(view, span.from, span.to).is_some_and(|(a, b)| a < x0 + 120.0 && b > x0)
        };
        if !labelled && !view.spans.iter().any(|span| is_paused(&span)) && x1 - x0 > width(label, 11.0) + 40.0 {
            labelled = true;
            paper.text(x0 + 8.0, y + 17.0, "sm mu", Anchor::Start, label);
        }
    }
}

fn belief_extent(view: &DiagramView<'_>, tracks: &Tracks, grant: &GrantTimeline) -> Option<(f64, f64, f64, bool)> {
    let (from, to) = grant.belief()?;
    let y = tracks.y(grant.client?)?;
    let (x0, x1) = tracks.extent(view, from, to)?;
    Some((x0, x1, y, to.is_none_or(|to| to > view.to)))
}

fn belief(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks, grant: &GrantTimeline) {
    let Some((x0, x1, y, open)) = belief_extent(view, tracks, grant) else { return };
    let class = format!("b{}", view.colour(grant.client));
    let half = BAR / 2.0;
    if open {
        // The arrow shows that the belief continues beyond the edge.
        let path = format!("M{x0:.0} {:.0}H{:.0}l6 {half}l-6 {half}H{x0:.0}z", y - half, x1 - 6.0);
        paper.path(&class, &path);
    } else {
        paper.rectangle(&class, (x0, y - half), ((x1 - x0).max(3.0), BAR), 3.0);
    }
}

fn belief_label(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks, grant: &GrantTimeline) {
    let Some((x0, x1, y, _)) = belief_extent(view, tracks, grant) else { return };
    let token = grant.token.map_or(String::new(), |token| format!(" · token {token}"));
    let texts = [format!("believes it holds the lock{token}"), format!("holds{token}"), token.replacen(" · ", "", 1)];
    let room = x1 - x0 - 10.0;
    if let Some(text) = texts.iter().find(|text| !text.is_empty() && width(text, 12.0) <= room) {
        let wide = width(text, 12.0);
        // A plain background, because hatching makes text hard to read.
        paper.rectangle("nw", (x0 + 5.0, y - 7.5), (wide + 6.0, 15.0), 2.0);
        paper.text(x0 + 8.0, y + 4.3, "", Anchor::Start, text);
    } else if grant.token.is_some() {
        paper.text(x0, y - BAR / 2.0 - 4.0, "sm", Anchor::Start, &texts[2]);
    }
}

fn records(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks, grant: &GrantTimeline, index: usize) {
    let class = format!("b{}", view.colour(grant.client));
    for (server, from, to) in grant.records() {
        let (Some(lane), Some((x0, x1))) = (tracks.y(server), tracks.extent(view, from, to)) else { continue };
        let y = lane + record_top(index);
        paper.rectangle(&class, (x0, y), ((x1 - x0).max(3.0), RECORD), 1.5);
        let who = grant.client.map_or("an unknown client".to_owned(), |client| view.name(client));
        let label = if width(&who, 11.0) < x1 - x0 - 90.0 { format!("granted to {who}") } else { who };
        // Below the store's lane are its operations.
        let above = index.is_multiple_of(2) || server == view.record.names.store;
        let line = lane + if above { -RECORD - 5.0 } else { RECORD + 12.0 };
        let room = x1 - x0;
        if room > 30.0 {
            paper.label(x0 + 5.0, line, &fitting(&label, 11.0, room.max(60.0)));
        }
    }
}

/// Returns the upper edge of a record, relative to its lane. Records alternate, so overlapping records stay visible.
fn record_top(index: usize) -> f64 {
    if index.is_multiple_of(2) { -RECORD - 1.0 } else { 1.0 }
}

/// Returns the outer edges of the records of a server at a time, relative to its lane.
pub(super) fn record_edges(view: &DiagramView<'_>, server: NodeId, at: SimTime) -> impl Iterator<Item = f64> {
    let has = move |grant: &GrantTimeline| {
        let mut records = grant.records().into_iter();
        records.any(|(node, from, to)| node == server && from <= at && to.is_none_or(|to| at <= to))
    };
    let here = view.grants.iter().enumerate().filter(move |(_, grant)| has(grant));
    here.map(|(index, _)| if index.is_multiple_of(2) { record_top(index) } else { record_top(index) + RECORD })
}

/// Draws the time in which a process or machine is paused or down.
fn stop(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks, span: &FaultSpan) {
    let Some((x0, x1)) = tracks.extent(view, span.from, span.to) else { return };
    for y in span.fault.nodes.iter().filter_map(|node| tracks.y(*node)) {
        let (top, size) = (y - BAND / 2.0, ((x1 - x0).max(4.0), BAND));
        match span.fault.kind.stops {
            Some(Stops::Process) => paper.hatched('h', (x0, top), size),
            Some(Stops::Machine) => paper.hatched('x', (x0, top), size),
            _ => {
                paper.rectangle("dn", (x0, top), size, 0.0);
                paper.path("al", &format!("M{:.0} {:.0}l14 14m0 -14l-14 14", x0 - 7.0, y - 7.0));
            }
        }
    }
}

/// Labels the stops of a node. Labels of stops close to each other are in two rows.
fn stop_labels(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks, stops: &[&FaultSpan], node: NodeId) {
    let Some(y) = tracks.y(node) else { return };
    let mut shelf = Shelf::new(2);
    for span in stops.iter().filter(|span| span.fault.nodes.contains(&node)) {
        let Some((x0, _)) = tracks.extent(view, span.from, span.to) else { continue };
        let label = fitting(&span.lane_label(&view.record.names), 11.0, (RIGHT - x0).max(60.0));
        let Some(row) = shelf.place(x0, x0 + width(&label, 11.0) + 6.0) else { continue };
        paper.label(x0 + 2.0, y + BAND / 2.0 + 13.0 + 12.0 * row as f64, &label);
    }
}

//! Draws a strip above the lanes for faults that do not stop a node, such as faults of links and clocks.

use super::marks::numbered;
use super::metrics::{fitting, width};
use super::paper::{Anchor, Paper};
use super::tracks::{LEFT, RIGHT, Tracks};
use super::view::DiagramView;
use crate::case_record::FaultSpan;
use crate::explain::{Cause, CauseKind};

const ROW: f64 = 24.0;
const MOST: usize = 5;

/// Returns whether a fault is drawn on the lane of its node.
pub(super) fn on_lane(span: &FaultSpan) -> bool {
    span.fault.kind.stops.is_some()
}

fn rows<'a>(view: &'a DiagramView<'_>) -> impl Iterator<Item = &'a FaultSpan> {
    view.spans.iter().filter(|span| !on_lane(span)).take(MOST).copied()
}

pub(super) fn height(view: &DiagramView<'_>) -> f64 {
    let rows = rows(view).count();
    if rows == 0 { 0.0 } else { rows as f64 * ROW + 6.0 }
}

/// Returns the number of a fault in the chain of causes.
fn number(view: &DiagramView<'_>, span: &FaultSpan) -> Option<usize> {
    let is_match = |cause: &Cause| cause.kind == CauseKind::Fault && cause.seq == span.seq;
    view.causes.iter().position(is_match).map(|index| index + 1)
}

/// Returns whether a cause is a fault that is shown in the strip.
pub(super) fn has(view: &DiagramView<'_>, cause: &Cause) -> bool {
    cause.kind == CauseKind::Fault && rows(view).any(|span| span.seq == cause.seq)
}

/// Shades the time in which faults of links are active.
pub(super) fn shades(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks) {
    let (_, lower) = tracks.field();
    for span in rows(view).filter(|span| !span.fault.links.is_empty()) {
        if let Some((x0, x1)) = tracks.extent(view, span.from, span.to) {
            paper.rectangle("sh", (x0, tracks.top), (x1 - x0, lower - tracks.top), 0.0);
        }
    }
}

pub(super) fn draw(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks) {
    for (row, span) in rows(view).enumerate() {
        let Some((x0, x1)) = tracks.extent(view, span.from, span.to) else { continue };
        let y = tracks.top + ROW * row as f64;
        let x1 = x1.max(x0 + 5.0);
        if !span.fault.kind.steps_clocks() {
            paper.rectangle("ft", (x0, y), (x1 - x0, 18.0), 3.0);
        }
        let label = span.label(&view.record.names);
        let number = number(view, span);
        let disc = if number.is_some() { 24.0 } else { 0.0 };
        let inside = x1 - x0 - 12.0 - disc;
        let wide = width(&label, 12.0);
        let (x, anchor, room) = match () {
            () if wide <= inside => (x0 + 6.0 + disc, Anchor::Start, inside),
            () if RIGHT - x1 >= x0 - LEFT => (x1.max(x0 + disc) + 6.0, Anchor::Start, RIGHT - x1.max(x0 + disc) - 6.0),
            () => (x0 - 6.0, Anchor::End, x0 - LEFT - 6.0),
        };
        paper.text(x, y + 13.5, "", anchor, &fitting(&label, 12.0, room.max(40.0)));
        if let Some(number) = number {
            numbered(paper, (x0 + 10.0, y + 9.0), number, false);
        }
    }
}

/// Marks where clocks stepped. Drawn late, so no bar hides the marks.
pub(super) fn steps(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks) {
    for (row, span) in rows(view).enumerate().filter(|(_, span)| span.fault.kind.steps_clocks()) {
        if let Some((x, _)) = tracks.extent(view, span.from, span.to) {
            mark_step(paper, tracks, span, x, tracks.top + ROW * row as f64);
        }
    }
}

fn mark_step(paper: &mut Paper, tracks: &Tracks, span: &FaultSpan, x: f64, top: f64) {
    for y in span.fault.nodes.iter().filter_map(|node| tracks.y(*node)) {
        paper.line("dn", (x, top + 20.0), (x, y - 7.0));
        paper.path("op", &format!("M{x:.0} {:.0}l7 7l-7 7l-7 -7z", y - 7.0));
    }
}

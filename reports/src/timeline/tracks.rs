//! Draws the lanes and the axis below them.

use fencepost_sim::{NodeId, SimTime};

use super::axis::Axis;
use super::bars::{BAR, record_edges};
use super::labels::Shelf;
use super::metrics::width;
use super::paper::{Anchor, Paper};
use super::strip;
use super::view::DiagramView;
use crate::case_record::GrantTimeline;
use crate::text::moment;
use crate::text::seconds;

pub(super) const LEFT: f64 = 150.0;
pub(super) const RIGHT: f64 = 1168.0;

/// The space between the strip of faults and the first lane.
const AIR: f64 = 56.0;
/// The space between the last lane and the axis, for the labels of the store.
const BELOW: f64 = 92.0;
const AXIS: f64 = 50.0;

pub(super) struct Tracks {
    pub axis: Axis,
    /// The upper edge of the strip of faults.
    pub top: f64,
    /// The position of the first lane.
    first: f64,
    pub pitch: f64,
    nodes: Vec<NodeId>,
    /// The lower edge of the axis.
    pub bottom: f64,
}

impl Tracks {
    pub fn new(view: &DiagramView<'_>, top: f64) -> Tracks {
        let lanes = view.nodes.len().max(1);
        // Between two lanes there are labels of the upper one and numbers of the lower one.
        let pitch = if lanes <= 4 { 92.0 } else { 78.0 };
        let first = top + strip::height(view) + AIR;
        Tracks {
            axis: Axis::new(&view.moments, LEFT + 14.0, RIGHT - 26.0),
            top,
            first,
            pitch,
            nodes: view.nodes.clone(),
            bottom: first + pitch * (lanes - 1) as f64 + BELOW + AXIS,
        }
    }

    /// Returns the position of a node's lane, if it has one.
    pub fn y(&self, node: NodeId) -> Option<f64> {
        self.nodes.iter().position(|other| *other == node).map(|index| self.first + self.pitch * index as f64)
    }

    pub fn x(&self, at: SimTime) -> f64 {
        self.axis.x(at)
    }

    /// Returns whether a label at this height overlaps no lane.
    pub fn is_between_lanes(&self, y: f64) -> bool {
        self.nodes.iter().filter_map(|node| self.y(*node)).all(|lane| (lane - y).abs() > 20.0)
    }

    /// Returns where a message leaves or reaches a lane: at the edge of the bar there.
    pub fn edge(&self, view: &DiagramView<'_>, node: NodeId, at: SimTime, towards: f64) -> Option<f64> {
        let y = self.y(node)?;
        let inside = |grant: &&GrantTimeline| {
            grant.client == Some(node)
                && grant.belief().is_some_and(|(from, to)| from <= at && to.is_none_or(|to| at <= to))
        };
        let half = if view.grants.iter().any(inside) { BAR / 2.0 } else { 0.0 };
        let mut edges = vec![y + half, y - half];
        edges.extend(record_edges(view, node, at).map(|edge| y + edge));
        edges.into_iter().reduce(if towards > y { f64::max } else { f64::min })
    }

    /// Returns the left and right end of an interval. An interval beyond the last time shown extends to the edge.
    pub fn extent(&self, view: &DiagramView<'_>, from: SimTime, to: Option<SimTime>) -> Option<(f64, f64)> {
        if from > view.to || to.is_some_and(|to| to < view.from) {
            return None;
        }
        let x0 = if from < view.from { LEFT } else { self.x(from) };
        let x1 = to.filter(|to| *to <= view.to).map_or(RIGHT, |to| self.x(to));
        Some((x0, x1.max(x0)))
    }

    /// Returns the upper and the lower end of the lanes.
    pub fn field(&self) -> (f64, f64) {
        (self.first - 44.0, self.bottom - AXIS)
    }

    pub fn draw(&self, paper: &mut Paper, view: &DiagramView<'_>) {
        let (upper, lower) = self.field();
        for cause in view.causes {
            let x = self.x(cause.at);
            paper.line("gl", (x, upper), (x, lower));
        }
        for node in &self.nodes {
            let Some(y) = self.y(*node) else { continue };
            paper.line("ln", (LEFT, y), (RIGHT, y));
            paper.text(LEFT - 12.0, y + 5.0, "nm", Anchor::End, &view.name(*node));
        }
        self.draw_axis(paper, view, lower);
    }

    fn draw_axis(&self, paper: &mut Paper, view: &DiagramView<'_>, y: f64) {
        paper.line("ax", (LEFT, y), (RIGHT, y));
        paper.path("ax", &format!("M{} {}l-7 -4m7 4l-7 4", RIGHT, y));
        paper.text(LEFT - 12.0, y + 4.0, "sm mu", Anchor::End, "true time");
        for (x, room, ns) in self.axis.breaks() {
            paper.rectangle("bg", (x - 4.0, y - 6.0), (8.0, 12.0), 0.0);
            paper.path("ax", &format!("M{:.0} {:.0}l6 -14m2 0l-6 14", x - 5.0, y + 7.0));
            let label = format!("{} later", seconds(ns));
            if width(&label, 11.0) < room - 8.0 {
                paper.text(x, y - 11.0, "sm mu", Anchor::Middle, &label);
            }
        }
        let mut shelf = Shelf::new(2);
        let mut drawn_labels = Vec::new();
        for at in view.causes.iter().map(|cause| cause.at).chain([view.from, view.to]) {
            let (x, label) = (self.x(at), moment(at));
            if drawn_labels.contains(&label) {
                continue;
            }
            drawn_labels.push(label.clone());
            let half = width(&label, 11.0) / 2.0 + 4.0;
            let Some(row) = shelf.place(x - half, x + half) else { continue };
            paper.line("ax", (x, y - 4.0), (x, y + 4.0));
            paper.text(x, y + 17.0 + 13.0 * row as f64, "sm", Anchor::Middle, &label);
        }
    }
}

//! Draws messages as arrows.

use fencepost_models::history::Ack;
use fencepost_sim::{NodeId, SimTime};

use super::metrics::width;
use super::operations::Operations;
use super::paper::{Anchor, Paper};
use super::tracks::Tracks;
use super::view::DiagramView;
use crate::case_record::{GrantTimeline, Message};
use crate::text::seconds;

pub(super) fn draw(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks, operations: &Operations) {
    for message in view.messages.iter().filter(|message| !message.lost) {
        arrow(paper, view, tracks, operations, message);
    }
    for (from, to, at) in lost(view) {
        broken(paper, view, tracks, from, to, at);
    }
}

/// Returns sender, receiver and time of each message that never arrived.
pub(super) fn lost<'a>(view: &'a DiagramView<'_>) -> impl Iterator<Item = (NodeId, NodeId, SimTime)> + 'a {
    let messages = view.messages.iter().filter(|message| message.lost);
    let messages = messages.map(|message| (message.from, message.to, message.sent));
    messages.chain(view.grants.iter().flat_map(|grant| unanswered(view, grant)))
}

/// Returns the points where a message leaves and arrives: at the edge of the bar or mark there.
fn ends(
    view: &DiagramView<'_>,
    tracks: &Tracks,
    operations: &Operations,
    message: &Message,
) -> Option<[(f64, f64); 2]> {
    let end = |node: NodeId, other: NodeId, at: SimTime| {
        let y = tracks.edge(view, node, at, tracks.y(other)?)?;
        let mark = if node == view.record.names.store { operations.top(other, at) } else { None };
        Some(mark.map_or((tracks.x(at), y), |(x, above)| (x, y - above)))
    };
    Some([end(message.from, message.to, message.sent)?, end(message.to, message.from, message.at)?])
}

fn arrow(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks, operations: &Operations, message: &Message) {
    let Some([from, to]) = ends(view, tracks, operations, message) else { return };
    let late = view.record.is_late(message);
    let client = if view.record.is_client(message.from) { message.from } else { message.to };
    let colour = view.colour(Some(client));
    let class = format!("{} s{colour}", if late { "lt" } else { "ar" });
    paper.arrow(&class, colour, from, to);
}

/// Labels late messages with their delay. Drawn last, so nothing hides the labels.
pub(super) fn labels(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks, operations: &Operations) {
    let mut taken: Vec<(f64, f64)> = Vec::new();
    for message in view.messages.iter().filter(|message| !message.lost) {
        let Some([(x0, y0), (x1, y1)]) = ends(view, tracks, operations, message) else { continue };
        if !view.record.is_late(message) {
            continue;
        }
        let at = |share: f64| (x0 + (x1 - x0) * share, y0 + (y1 - y0) * share);
        let clear = |(x, y): &(f64, f64)| {
            tracks.is_between_lanes(*y) && taken.iter().all(|(a, b)| (a - x).abs() > 70.0 || (b - y).abs() > 16.0)
        };
        let Some((x, y)) = [0.5, 0.38, 0.62, 0.27, 0.73].map(at).into_iter().find(clear) else { continue };
        taken.push((x, y));
        let label = format!("{} late", seconds(message.duration_ns()));
        let wide = width(&label, 11.0) + 8.0;
        paper.rectangle("bg", (x - wide / 2.0, y - 9.0), (wide, 15.0), 3.0);
        paper.text(x, y + 2.5, "sm", Anchor::Middle, &label);
    }
}

/// Draws a message that never arrived. It ends with a cross before the next lane, to not look addressed to that node.
fn broken(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks, from: NodeId, to: NodeId, at: SimTime) {
    let (Some(y0), Some(y1)) = (tracks.y(from), tracks.y(to)) else { return };
    let (x, y) = (tracks.x(at) + 14.0, y0 + (tracks.pitch * 0.5).copysign(y1 - y0));
    let client = if view.record.is_client(from) { from } else { to };
    paper.line(&format!("lt s{}", view.colour(Some(client))), (tracks.x(at), y0), (x, y));
    paper.path("al", &format!("M{:.0} {:.0}l10 10m0 -10l-10 10", x - 5.0, y - 5.0));
    paper.label(x + 9.0, y + 4.0, "lost");
}

/// Returns the writes that were sent but never arrived.
fn unanswered<'a>(
    view: &'a DiagramView<'_>,
    grant: &'a GrantTimeline,
) -> impl Iterator<Item = (NodeId, NodeId, SimTime)> + 'a {
    let store = view.record.names.store;
    grant.writes_sent.iter().filter_map(move |(at, order)| {
        let client = grant.client?;
        let unconfirmed = grant.writes_returned.iter().all(|(_, other, ack)| other != order || *ack == Ack::Unknown);
        let arrived = |message: &&Message| message.from == client && message.to == store && message.sent >= *at;
        let shown = (view.from..=view.to).contains(at);
        (shown && unconfirmed && !view.record.messages().any(|message| arrived(&message)))
            .then_some((client, store, *at))
    })
}

//! Draws the numbers of the causes, each at its time.

use fencepost_sim::NodeId;

use super::labels::spread;
use super::operations::Operations;
use super::paper::{Anchor, Paper};
use super::strip;
use super::tracks::{RIGHT, Tracks};
use super::view::DiagramView;

/// The radius of a number's disc.
pub(super) const NUMBER: f64 = 9.5;
pub(super) const RING: f64 = NUMBER + 3.0;
/// The distance of a number above its lane.
const ABOVE: f64 = 33.0;

/// Draws the numbers that neither the operations of the store nor the strip of faults show, above each lane.
pub(super) fn draw(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks, operations: &Operations) {
    let (upper, _) = tracks.field();
    let causes = view.causes.iter().enumerate().map(|(index, cause)| (index + 1, cause));
    let left: Vec<_> =
        causes.filter(|(number, cause)| !operations.has_number(*number) && !strip::has(view, cause)).collect();
    let mut lanes: Vec<Option<NodeId>> = vec![None];
    lanes.extend(view.nodes.iter().copied().map(Some));
    for lane in lanes {
        let here = left.iter().filter(|(_, cause)| cause.node_id == lane);
        let here: Vec<(usize, f64, bool)> =
            here.map(|(number, cause)| (*number, tracks.x(cause.at), view.is_wrong(cause))).collect();
        let y = lane.and_then(|node| tracks.y(node));
        let line = y.map_or(upper - 2.0, |y| y - ABOVE);
        let mut positions: Vec<f64> = here.iter().map(|(_, x, _)| *x).collect();
        spread(&mut positions, 2.0 * NUMBER + 3.0, RIGHT);
        for ((number, x, wrong), position) in here.into_iter().zip(positions) {
            if let Some(y) = y {
                paper.line("ax", (position, line), (x, y - 3.0));
            }
            numbered(paper, (position, line), number, wrong);
        }
    }
}

/// Draws a number in a disc, with a ring around it if the cause is a violation.
pub(super) fn numbered(paper: &mut Paper, (x, y): (f64, f64), number: usize, wrong: bool) {
    paper.circle(if wrong { "rf" } else { "dk" }, (x, y), NUMBER);
    if wrong {
        paper.circle("rg", (x, y), RING);
    }
    paper.text(x, y + 4.3, "nb nw", Anchor::Middle, &number.to_string());
}

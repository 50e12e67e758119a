//! The numbers of the chain of causes, each at its moment.

use fencepost_sim::NodeId;

use super::labels::spread;
use super::operations::Operations;
use super::paper::{Anchor, Paper};
use super::strip;
use super::tracks::{RIGHT, Tracks};
use super::view::DiagramView;

/// The radius of a number's disc, and that of the ring around it.
pub(super) const NUMBER: f64 = 9.5;
pub(super) const RING: f64 = NUMBER + 3.0;
/// How far above its lane a number stands.
const ABOVE: f64 = 33.0;

/// Those that stand neither at an operation of the store nor in the strip of faults: above their places, lane by lane.
pub(super) fn draw(paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks, operations: &Operations) {
    let (upper, _) = tracks.field();
    let causes = view.causes.iter().enumerate().map(|(place, cause)| (place + 1, cause));
    let left: Vec<_> =
        causes.filter(|(number, cause)| !operations.number(*number) && !strip::has(view, cause)).collect();
    let mut lanes: Vec<Option<NodeId>> = vec![None];
    lanes.extend(view.nodes.iter().copied().map(Some));
    for lane in lanes {
        let here = left.iter().filter(|(_, cause)| cause.node_id == lane);
        let here: Vec<(usize, f64, bool)> =
            here.map(|(number, cause)| (*number, tracks.x(cause.at), view.is_wrong(cause))).collect();
        let y = lane.and_then(|node| tracks.y(node));
        let line = y.map_or(upper - 2.0, |y| y - ABOVE);
        let mut places: Vec<f64> = here.iter().map(|(_, x, _)| *x).collect();
        spread(&mut places, 2.0 * NUMBER + 3.0, RIGHT);
        for ((number, x, wrong), place) in here.into_iter().zip(places) {
            if let Some(y) = y {
                paper.line("ax", (place, line), (x, y - 3.0));
            }
            numbered(paper, (place, line), number, wrong);
        }
    }
}

/// A number in a disc; where a rule was broken, with a ring around it.
pub(super) fn numbered(paper: &mut Paper, (x, y): (f64, f64), number: usize, wrong: bool) {
    paper.circle(if wrong { "rf" } else { "dk" }, (x, y), NUMBER);
    if wrong {
        paper.circle("rg", (x, y), RING);
    }
    paper.text(x, y + 4.3, "nb nw", Anchor::Middle, &number.to_string());
}

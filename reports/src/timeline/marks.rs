//! What happens at a moment: operations at the store, and the numbers of the chain of causes.

use fencepost_sim::{NodeId, SimTime};

use super::labels::{Shelf, spread};
use super::metrics::width;
use super::paper::{Anchor, Paper};
use super::scene::Scene;
use super::strip;
use super::tracks::{RIGHT, Tracks};
use crate::case_run::{GrantStory, Written};
use crate::explain::CauseKind;

const NUMBER: f64 = 9.5;
/// How far above its lane a number stands.
const ABOVE: f64 = 33.0;

pub(super) fn draw(paper: &mut Paper, scene: &Scene<'_>, tracks: &Tracks) {
    operations(paper, scene, tracks);
    numbers(paper, scene, tracks);
}

struct Operation {
    at: SimTime,
    /// Its place in the chain of causes.
    number: Option<usize>,
    label: String,
    write: bool,
    colour: usize,
    stale: bool,
}

/// What the store did for the grants.
fn operations(paper: &mut Paper, scene: &Scene<'_>, tracks: &Tracks) {
    let Some(y) = tracks.y(scene.run.cast.store) else { return };
    let shown = |at: SimTime| (scene.from..=scene.to).contains(&at);
    let mut operations = Vec::new();
    for story in &scene.grants {
        let colour = scene.colour(story.client);
        for (at, version) in story.reads.iter().filter(|(at, _)| shown(*at)) {
            let label = format!("read v{version}");
            operations.push(Operation { at: *at, number: None, label, write: false, colour, stale: false });
        }
        for write in story.written.iter().filter(|write| shown(write.at)) {
            let (stale, label) = (breaks_rule(scene, write.at), write_label(scene, story, write));
            operations.push(Operation { at: write.at, number: None, label, write: true, colour, stale });
        }
        for (at, _) in story.refused.iter().filter(|(at, _)| shown(*at)) {
            let label = "refused".to_owned();
            operations.push(Operation { at: *at, number: None, label, write: true, colour, stale: false });
        }
    }
    for operation in &mut operations {
        let here = |cause: &crate::explain::Cause| is_operation(cause.kind) && cause.at == operation.at;
        operation.number = scene.causes.iter().position(here).map(|place| place + 1);
    }
    // What is numbered is labelled before any other takes its place.
    operations.sort_by_key(|operation| (!operation.stale, operation.number.is_none(), operation.at));
    let mut shelf = Shelf::new(2);
    for operation in &operations {
        operation.draw(paper, tracks.x(operation.at), y, &mut shelf);
    }
}

/// Whether its number stands beside the operation rather than above the lane.
fn is_operation(kind: CauseKind) -> bool {
    matches!(kind, CauseKind::Read | CauseKind::Wrote | CauseKind::Refused)
}

/// Whether a write at this moment broke a rule.
fn breaks_rule(scene: &Scene<'_>, at: SimTime) -> bool {
    let breaks = |cause: &&crate::explain::Cause| !cause.violates.is_empty() && cause.kind == CauseKind::Wrote;
    scene.causes.iter().filter(breaks).any(|cause| cause.at == at)
}

/// `stale write v0 → v2`: of a grant that another had come after.
fn write_label(scene: &Scene<'_>, story: &GrantStory, write: &Written) -> String {
    let servers = scene.run.servers.len();
    let newer = |other: &&&GrantStory| {
        other.granted(servers) > story.granted(servers) && other.first_effect().is_some_and(|at| at < write.at)
    };
    let stale = if scene.grants.iter().any(|other| newer(&other)) { "stale write" } else { "write" };
    let gone = match write.version.saturating_sub(write.based_on) {
        0 | 1 => String::new(),
        2 => format!(", v{} lost", write.version - 1),
        _ => format!(", v{} to v{} lost", write.based_on + 1, write.version - 1),
    };
    format!("{stale} v{} → v{}{gone}", write.based_on, write.version)
}

impl Operation {
    fn draw(&self, paper: &mut Paper, x: f64, y: f64, shelf: &mut Shelf) {
        match (self.stale, self.write) {
            (true, _) => {
                paper.circle("bg", (x, y), 11.0);
                paper.circle("rg", (x, y), 11.0);
                paper.path("al", &format!("M{:.0} {:.0}l10 10m0 -10l-10 10", x - 5.0, y - 5.0));
            }
            (false, true) => paper.rectangle(&format!("f{}", self.colour), (x - 5.0, y - 5.0), (10.0, 10.0), 1.0),
            (false, false) => paper.circle(&format!("b{}", self.colour), (x, y), 5.0),
        }
        let (class, size) = if self.stale { ("rd nb", 12.0) } else { ("sm", 11.0) };
        let wide = width(&self.label, size);
        let disc = match (self.number, self.stale) {
            (None, _) => 0.0,
            (Some(_), false) => 2.0 * NUMBER + 4.0,
            (Some(_), true) => 2.0 * NUMBER + 9.0,
        };
        let half = (wide + disc) / 2.0 + 4.0;
        let middle = x.clamp(half, RIGHT + 24.0 - half);
        let Some(row) = shelf.place(middle - half, middle + half) else { return };
        let line = y + 27.0 + 20.0 * row as f64;
        paper.text(middle - half + 4.0 + disc, line, class, Anchor::Start, &self.label);
        if let Some(number) = self.number {
            numbered(paper, (middle - half + 4.0 + NUMBER, line - 4.0), number, self.stale);
        }
    }
}

/// The numbers of the causes, each above its place, lane by lane.
fn numbers(paper: &mut Paper, scene: &Scene<'_>, tracks: &Tracks) {
    let (upper, _) = tracks.field();
    let mut lanes: Vec<Option<NodeId>> = vec![None];
    lanes.extend(scene.nodes.iter().copied().map(Some));
    for lane in lanes {
        let here = scene.causes.iter().enumerate().filter(|(_, cause)| cause.place == lane && !elsewhere(scene, cause));
        let here: Vec<(usize, f64, bool)> =
            here.map(|(place, cause)| (place + 1, tracks.x(cause.at), !cause.violates.is_empty())).collect();
        let y = lane.and_then(|node| tracks.y(node));
        let line = y.map_or(upper - 2.0, |y| y - ABOVE);
        let mut places: Vec<f64> = here.iter().map(|(_, x, _)| *x).collect();
        spread(&mut places, 2.0 * NUMBER + 3.0, RIGHT);
        for ((number, x, violates), place) in here.into_iter().zip(places) {
            if let Some(y) = y {
                paper.line("ax", (place, line), (x, y - 3.0));
            }
            numbered(paper, (place, line), number, violates);
        }
    }
}

/// Whether the number stands at the store's operation, or in the strip of faults.
fn elsewhere(scene: &Scene<'_>, cause: &crate::explain::Cause) -> bool {
    cause.place == Some(scene.run.cast.store) && is_operation(cause.kind) || strip::has(scene, cause)
}

/// A number in a disc; where a rule was broken, with a ring around it.
pub(super) fn numbered(paper: &mut Paper, (x, y): (f64, f64), number: usize, violates: bool) {
    paper.circle(if violates { "rf" } else { "dk" }, (x, y), NUMBER);
    if violates {
        paper.circle("rg", (x, y), NUMBER + 3.0);
    }
    paper.text(x, y + 4.3, "nb nw", Anchor::Middle, &number.to_string());
}

//! Draws the operations of the grants at the store: a mark for each read and write, with its number and label below.

use fencepost_models::history::{Event, Version};
use fencepost_sim::{NodeId, SimTime};

use super::labels::{Shelf, spread};
use super::marks::{NUMBER, RING, numbered};
use super::metrics::width;
use super::paper::{Anchor, Paper};
use super::tracks::{RIGHT, Tracks};
use super::view::DiagramView;
use crate::case_record::Entry;
use crate::explain::{Cause, CauseKind};

/// The minimum distance of marks: a ring and a circle side by side do not overlap.
const APART: f64 = 24.0;
/// The number of rows of labels below the lane.
const ROWS: usize = 3;
const FIRST_ROW: f64 = 27.0;
const ROW: f64 = 22.0;
const GAP: f64 = 5.0;
/// The right limit of labels.
const EDGE: f64 = RIGHT + 32.0;

pub(super) struct Operations {
    /// In the order of the history.
    all: Vec<Operation>,
}

struct Operation {
    at: SimTime,
    client: Option<NodeId>,
    /// The index of its grant in the view.
    grant: usize,
    kind: CauseKind,
    x: f64,
    /// Its number in the chain of causes.
    number: Option<usize>,
    label: String,
    colour: usize,
    wrong: bool,
}

impl Operations {
    pub fn new(view: &DiagramView<'_>, tracks: &Tracks) -> Operations {
        let mut all = Vec::new();
        for (seq, entry) in view.record.entries_between(view.from, view.to) {
            all.extend(operation(view, tracks, (seq, entry), &all));
        }
        let mut positions: Vec<f64> = all.iter().map(|operation| operation.x).collect();
        spread(&mut positions, APART, RIGHT);
        all.iter_mut().zip(positions).for_each(|(operation, x)| operation.x = x);
        Operations { all }
    }

    /// Returns the position of the mark of a client's operation at this time, and its height above the lane.
    pub fn top(&self, client: NodeId, at: SimTime) -> Option<(f64, f64)> {
        let is_match = |operation: &&Operation| operation.client == Some(client) && operation.at == at;
        self.all.iter().find(is_match).map(|operation| (operation.x, operation.radius()))
    }

    /// Returns whether a mark shows the number of a cause.
    pub fn has_number(&self, number: usize) -> bool {
        self.all.iter().any(|operation| operation.number == Some(number))
    }

    pub fn draw(&self, paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks) {
        let Some(y) = tracks.y(view.record.names.store) else { return };
        // Numbered operations get their labels first.
        let (mut left, others): (Vec<_>, Vec<_>) = self.all.iter().partition(|operation| operation.number.is_some());
        let mut shelf = Shelf::new(ROWS);
        while let Some(operation) = left.pop() {
            let columns: Vec<f64> = left.iter().map(|operation| operation.x).collect();
            operation.draw_label(paper, y, &mut shelf, &columns);
        }
        others.iter().for_each(|operation| operation.draw_label(paper, y, &mut shelf, &[]));
        self.all.iter().for_each(|operation| operation.draw_mark(paper, y));
    }
}

fn operation(
    view: &DiagramView<'_>,
    tracks: &Tracks,
    (seq, entry): (usize, &Entry),
    earlier: &[Operation],
) -> Option<Operation> {
    let event = entry.event()?;
    let id = event.grant()?;
    let grant = view.grants.iter().position(|grant| grant.id == id)?;
    // A later grant has already used the store.
    let stale = earlier.iter().any(|other| other.grant > grant && other.kind != CauseKind::Refused);
    let (kind, label) = match *event {
        Event::ReadAccepted { version, .. } => (CauseKind::Read, format!("read v{version}")),
        Event::WriteAccepted { based_on, version, .. } => (CauseKind::Wrote, write_label(stale, based_on, version)),
        Event::OperationRefused { .. } => (CauseKind::Refused, "rejected".to_owned()),
        _ => return None,
    };
    let is_match = |cause: &Cause| (cause.seq, cause.kind) == (seq, kind);
    let client = view.grants[grant].client;
    Some(Operation {
        at: entry.at,
        client,
        grant,
        kind,
        x: tracks.x(entry.at),
        number: view.causes.iter().position(is_match).map(|index| index + 1),
        label,
        colour: view.colour(client),
        wrong: view.wrong.iter().any(|cause| is_match(cause)),
    })
}

/// `stale write v0 → v2, v1 lost`.
fn write_label(stale: bool, based_on: Version, version: Version) -> String {
    let write = if stale { "stale write" } else { "write" };
    let gone = match version.saturating_sub(based_on) {
        0 | 1 => String::new(),
        2 => format!(", v{} lost", version - 1),
        _ => format!(", v{} to v{} lost", based_on + 1, version - 1),
    };
    format!("{write} v{based_on} → v{version}{gone}")
}

impl Operation {
    fn radius(&self) -> f64 {
        if self.wrong { 11.0 } else { 5.0 }
    }

    fn draw_mark(&self, paper: &mut Paper, y: f64) {
        let x = self.x;
        match (self.wrong, self.kind) {
            (true, _) => {
                paper.circle("bg", (x, y), self.radius());
                paper.circle("rg", (x, y), self.radius());
                paper.path("al", &format!("M{:.1} {:.1}l10 10m0 -10l-10 10", x - 5.0, y - 5.0));
            }
            (false, CauseKind::Read) => paper.circle(&format!("b{}", self.colour), (x, y), 5.0),
            (false, _) => paper.rectangle(&format!("f{}", self.colour), (x - 5.0, y - 5.0), (10.0, 10.0), 1.0),
        }
    }

    /// Draws the number right below its mark, with the label beside it if there is room.
    fn draw_label(&self, paper: &mut Paper, y: f64, shelf: &mut Shelf, columns: &[f64]) {
        let with_words = shelf.hang(self.x, &self.sides(&self.label), columns).map(|position| (position, &*self.label));
        let alone =
            || self.number.and_then(|_| shelf.hang(self.x, &self.sides(""), columns)).map(|position| (position, ""));
        let Some(((row, anchor), words)) = with_words.or_else(alone) else { return };
        let (x, line) = (self.x, y + FIRST_ROW + ROW * row as f64);
        if row > 0 {
            paper.line("ax", (x, y), (x, line - 12.0));
        }
        let start = match anchor {
            Anchor::Start => x + self.disc(),
            Anchor::Middle => x,
            Anchor::End => x - self.disc(),
        };
        paper.text(start, line, self.style().0, anchor, words);
        if let Some(number) = self.number {
            numbered(paper, (x, line - 4.0), number, self.wrong);
        }
    }

    /// Returns the CSS class of the label, and the font size for measuring it: bold text is wider.
    fn style(&self) -> (&'static str, f64) {
        if self.wrong { ("rd nb", 13.2) } else { ("sm", 11.0) }
    }

    /// Returns half the width of the number's disc with its gap.
    fn disc(&self) -> f64 {
        GAP + if self.wrong { RING } else { NUMBER }
    }

    /// Returns the possible anchors of the label, each with the left and right edge of label and number together.
    fn sides(&self, words: &str) -> Vec<(Anchor, f64, f64)> {
        let (x, disc, wide) = (self.x, self.disc(), width(words, self.style().1) + GAP);
        let sides = match self.number {
            None => vec![(Anchor::Middle, x - wide / 2.0, x + wide / 2.0)],
            Some(_) => vec![(Anchor::Start, x - disc, x + disc + wide), (Anchor::End, x - disc - wide, x + disc)],
        };
        sides.into_iter().filter(|(_, _, right)| *right < EDGE).collect()
    }
}

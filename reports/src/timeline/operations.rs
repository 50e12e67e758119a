//! What the store did for the grants: a mark for each read and write on its lane, and below it the number and the words.

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

/// Marks nearer to each other than this would hide each other: a ring beside a circle.
const APART: f64 = 24.0;
/// The number of rows of labels below the lane.
const ROWS: usize = 3;
const FIRST_ROW: f64 = 27.0;
const ROW: f64 = 22.0;
const GAP: f64 = 5.0;
/// Words reach no further.
const EDGE: f64 = RIGHT + 32.0;

pub(super) struct Operations {
    /// In the order of the history.
    all: Vec<Operation>,
}

struct Operation {
    at: SimTime,
    client: Option<NodeId>,
    /// The place of its grant among those of the view.
    grant: usize,
    kind: CauseKind,
    x: f64,
    /// Its place in the chain of causes.
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
        let mut places: Vec<f64> = all.iter().map(|operation| operation.x).collect();
        spread(&mut places, APART, RIGHT);
        all.iter_mut().zip(places).for_each(|(operation, x)| operation.x = x);
        Operations { all }
    }

    /// Where the mark of what was done for a client at this moment stands, and how far it reaches above the lane.
    pub fn top(&self, client: NodeId, at: SimTime) -> Option<(f64, f64)> {
        let is_it = |operation: &&Operation| operation.client == Some(client) && operation.at == at;
        self.all.iter().find(is_it).map(|operation| (operation.x, operation.radius()))
    }

    /// Whether the number of a cause stands at a mark.
    pub fn number(&self, number: usize) -> bool {
        self.all.iter().any(|operation| operation.number == Some(number))
    }

    pub fn draw(&self, paper: &mut Paper, view: &DiagramView<'_>, tracks: &Tracks) {
        let Some(y) = tracks.y(view.record.names.store) else { return };
        // What is numbered is labelled before any other takes its place.
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
    // Another grant, which came after this one, has been here.
    let stale = earlier.iter().any(|other| other.grant > grant && other.kind != CauseKind::Refused);
    let (kind, label) = match *event {
        Event::ReadAccepted { version, .. } => (CauseKind::Read, format!("read v{version}")),
        Event::WriteAccepted { based_on, version, .. } => (CauseKind::Wrote, write_label(stale, based_on, version)),
        Event::OperationRefused { .. } => (CauseKind::Refused, "refused".to_owned()),
        _ => return None,
    };
    let is_it = |cause: &Cause| (cause.seq, cause.kind) == (seq, kind);
    let client = view.grants[grant].client;
    Some(Operation {
        at: entry.at,
        client,
        grant,
        kind,
        x: tracks.x(entry.at),
        number: view.causes.iter().position(is_it).map(|place| place + 1),
        label,
        colour: view.colour(client),
        wrong: view.wrong.iter().any(|cause| is_it(cause)),
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

    /// The number hangs right below its mark, with the words on one side of it; where there is no room, without them.
    fn draw_label(&self, paper: &mut Paper, y: f64, shelf: &mut Shelf, columns: &[f64]) {
        let with_words = shelf.hang(self.x, &self.sides(&self.label), columns).map(|place| (place, &*self.label));
        let alone = || self.number.and_then(|_| shelf.hang(self.x, &self.sides(""), columns)).map(|place| (place, ""));
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

    /// How the words are set, and the size that says how wide they are: bold is wider.
    fn style(&self) -> (&'static str, f64) {
        if self.wrong { ("rd nb", 13.2) } else { ("sm", 11.0) }
    }

    /// How far its number reaches to either side.
    fn disc(&self) -> f64 {
        GAP + if self.wrong { RING } else { NUMBER }
    }

    /// Where the words may stand, and from where to where they reach together with the number.
    fn sides(&self, words: &str) -> Vec<(Anchor, f64, f64)> {
        let (x, disc, wide) = (self.x, self.disc(), width(words, self.style().1) + GAP);
        let sides = match self.number {
            None => vec![(Anchor::Middle, x - wide / 2.0, x + wide / 2.0)],
            Some(_) => vec![(Anchor::Start, x - disc, x + disc + wide), (Anchor::End, x - disc - wide, x + disc)],
        };
        sides.into_iter().filter(|(_, _, right)| *right < EDGE).collect()
    }
}

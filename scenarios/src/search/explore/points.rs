//! The events of a run at which a fault can be placed.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::rc::Rc;

use fencepost_models::history::Event;
use fencepost_sim::{NodeId, Occurrence, SimTime};
use xxhash_rust::xxh3::Xxh3;

use crate::file::STEPS;
use crate::run::case::{self, CaseReport};
use crate::run::cell::Cell;
use crate::run::recorder::{TraceEvent, Watcher};

/// A run and its points.
pub(super) struct Ran {
    pub report: CaseReport,
    pub points: Vec<Point>,
    /// The hash of the events without their times.
    pub signature: u128,
}

/// An event at which a fault can be placed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub at: SimTime,
    pub what: What,
    /// Whether the event changed the state of a service or of the store.
    pub changed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    /// A message arrived: from, to, and when it was sent.
    Delivered(NodeId, NodeId, SimTime),
    /// Another event at a node.
    At(NodeId),
    /// A client reached a step for the nth time.
    Step(NodeId, &'static str, u32),
}

impl Point {
    /// Returns the node of the event.
    pub fn node(&self) -> NodeId {
        match self.what {
            What::Delivered(_, node, _) | What::At(node) | What::Step(node, ..) => node,
        }
    }
}

/// Runs a case and records its points.
pub(super) fn run(cell: &Cell, seed: u64) -> Ran {
    let notes = Rc::new(RefCell::new(Notes::default()));
    let report = case::run(cell, seed, Some(notes.clone()));
    let notes = notes.take();
    Ran { report, points: notes.points, signature: notes.signature.0.digest128() }
}

#[derive(Default)]
struct Notes {
    points: Vec<Point>,
    signature: Signature,
}

/// Hashes the events without their times.
#[derive(Default)]
struct Signature(Xxh3);

impl fmt::Write for Signature {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

impl Notes {
    fn add(&mut self, at: SimTime, what: What) {
        self.points.push(Point { at, what, changed: false });
    }

    fn event(&mut self, event: &Event) {
        // Writing to a hash cannot fail.
        let _ = write!(self.signature, "{event:?}");
        let changed = matches!(
            event,
            Event::Granted { .. }
                | Event::Ended { .. }
                | Event::Enqueued { .. }
                | Event::Withdrawn { .. }
                | Event::ReadAccepted { .. }
                | Event::WriteAccepted { .. }
                | Event::OperationRefused { .. }
                | Event::RolledBack { .. }
        );
        if let Some(last) = self.points.last_mut().filter(|_| changed) {
            last.changed = true;
        }
    }
}

impl Watcher for Notes {
    fn record(&mut self, event: &TraceEvent<'_>) {
        let (what, ends) = match event.what {
            Occurrence::Note(event) => return self.event(event),
            Occurrence::Delivered { from, to, sent_ns, .. } => {
                (What::Delivered(from, to, SimTime(sent_ns)), (1, from.0, to.0))
            }
            Occurrence::Step { node, step } => {
                let Some(step) = STEPS.into_iter().find(|known| *known == step) else { return };
                let same = |point: &&Point| matches!(point.what, What::Step(n, m, _) if n == node && m == step);
                let nth = self.points.iter().filter(same).count() as u32 + 1;
                (What::Step(node, step, nth), (3, node.0, 0))
            }
            Occurrence::Lost { to: node, .. }
            | Occurrence::Connected { server: node, .. }
            | Occurrence::Refused { node, .. }
            | Occurrence::Reset { node, .. }
            | Occurrence::Timer { node }
            | Occurrence::Continued { node }
            | Occurrence::Crashed { node }
            | Occurrence::Restarted { node }
            | Occurrence::Led { node, .. } => (What::At(node), (2, node.0, 0)),
            Occurrence::FaultBegan { .. } | Occurrence::FaultEnded { .. } | Occurrence::Healed => return,
        };
        self.add(event.at, what);
        let _ = write!(self.signature, "{ends:?}");
    }
}

/// The number of points to keep at the beginning and at the end of a stretch without changes. Clients only repeat
/// requests during such a stretch.
const KEPT_OF_STRETCH: usize = 3;

/// Returns the points without the middle of long stretches.
pub(super) fn trimmed(points: &[Point]) -> Vec<Point> {
    let mut kept = Vec::with_capacity(points.len());
    for stretch in points.chunk_by(|_, next| !next.changed) {
        if stretch.len() <= 2 * KEPT_OF_STRETCH + 1 {
            kept.extend_from_slice(stretch);
        } else {
            kept.extend_from_slice(&stretch[..=KEPT_OF_STRETCH]);
            kept.extend_from_slice(&stretch[stretch.len() - KEPT_OF_STRETCH..]);
        }
    }
    kept
}

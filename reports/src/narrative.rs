//! A case as a story: a log that a person can follow to the rule that was violated, one line for each thing worth
//! telling. What leads nowhere is counted, not told.

pub(crate) mod cast;
pub(crate) mod clocks;
mod events;
pub(crate) mod faults;
pub(crate) mod focus;
mod fold;
mod messages;
mod occurrences;
mod page;
mod teller;

use std::cell::RefCell;
use std::rc::Rc;

use fencepost_scenarios::run::case::{self, CaseReport};
use fencepost_scenarios::run::cell::Cell;

use self::focus::{Focus, Scout};
use self::teller::Teller;

/// How a case is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Narrative {
    /// Tells every event, messages and timers too, where otherwise routine is counted.
    pub full: bool,
    /// Tells the case from its start to its end, where otherwise it is told around what violated a property.
    pub whole: bool,
    /// Uses the terminal's colours, beside words and marks that say the same.
    pub colour: bool,
    /// Breaks lines longer than this many characters.
    pub width: Option<usize>,
}

/// A case, told.
#[derive(Debug)]
pub struct Told {
    /// The log, ready to print.
    pub text: String,
    /// What the case came to.
    pub report: CaseReport,
}

/// Runs a case and tells it. The case runs twice, since only its end shows what matters; both runs are the same.
pub fn tell(cell: &Cell, seed: u64, narrative: Narrative) -> Told {
    let drawn = &*cell.drawn(seed);
    let scout = Rc::new(RefCell::new(Scout::default()));
    let report = case::run(cell, seed, Some(scout.clone()));
    let focus = Focus::new(&report.evidence, &scout.borrow(), narrative.whole);
    let teller = Rc::new(RefCell::new(Teller::new(drawn, focus, narrative.full)));
    case::run(cell, seed, Some(teller.clone()));
    let items = teller.borrow_mut().finish(report.ended);
    Told { text: page::render(drawn, seed, &report, &items, narrative), report }
}

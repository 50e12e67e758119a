//! The progress bar of a run, drawn only on a terminal.

use fencepost_scenarios::property::Verdict;
use fencepost_scenarios::run::case_result::CaseResult;
use indicatif::{ProgressBar, ProgressStyle};

use super::plan::Plan;

/// The progress of a run.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    cells: u64,
    cases_per_cell: u64,
    cases_here: u64,
    current: Option<usize>,
    cells_started: u64,
    violations: u64,
}

const STYLE: &str = "{bar:24} {pos}/{len} cases  {msg}  {per_sec}  {eta} left";

impl Progress {
    /// Creates the bar, with `done` cases already done. indicatif draws only if stderr is a terminal.
    pub(super) fn new(plan: &Plan, cases_per_cell: u64, done: u64) -> Self {
        let cells = plan.cells.iter().filter(|cell| cell.header.applicable).count() as u64;
        let bar = ProgressBar::new(cells * cases_per_cell);
        if let Ok(style) = ProgressStyle::with_template(STYLE) {
            bar.set_style(style);
        }
        bar.set_position(done);
        bar.reset_eta();
        let (cases_here, current, cells_started, violations) = (0, None, 0, 0);
        Progress { bar, cells, cases_per_cell, cases_here, current, cells_started, violations }
    }

    /// Counts a finished case. `ended` means that it was the last of its cell.
    pub(super) fn case_done(&mut self, cell: usize, result: &CaseResult, ended: bool) {
        if self.current != Some(cell) {
            (self.current, self.cases_here) = (Some(cell), 0);
            self.cells_started += 1;
        }
        self.cases_here += 1;
        let violated = result.verdicts.iter().any(|(_, verdict)| *verdict == Verdict::Violated);
        self.violations += u64::from(violated);
        if self.cases_here == 1 || violated {
            let (nth, cells) = (self.cells_started, self.cells);
            self.bar.set_message(format!("cell {nth}/{cells}  {} with violations", self.violations));
        }
        self.bar.inc(1);
        if ended {
            self.bar.set_length(self.bar.length().unwrap_or(0).saturating_sub(self.cases_per_cell - self.cases_here));
        }
    }

    /// Removes the bar.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

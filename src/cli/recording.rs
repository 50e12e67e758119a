//! Takes outcomes in order: writes each down at once, adds it up, and forgets it.

use std::io::Write;
use std::ops::ControlFlow;

use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::job::Job;
use fencepost_scenarios::run::outcome::Outcome;
use fencepost_scenarios::run::results::{CellResult, ResultsError, ResultsReader, ResultsWriter, Row};
use fencepost_scenarios::search::ablation;

use super::exit::Failure;
use super::plan::Plan;
use super::stop::StopRule;

/// What came out of the cells so far.
#[derive(Debug)]
pub(super) struct Recording<'p> {
    cells: &'p [Cell],
    stop: &'p StopRule,
    results: Vec<CellResult>,
    ended: Vec<bool>,
    /// Cells whose line is written.
    begun: usize,
    /// Cells whose violated cases were looked at again.
    settled: usize,
}

impl<'p> Recording<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        let cells = plan.cells.as_slice();
        let (results, ended) = (vec![CellResult::default(); cells.len()], vec![false; cells.len()]);
        Recording { cells, stop: &plan.stop, results, ended, begun: 0, settled: 0 }
    }

    /// Takes over what an earlier run left. Says after how many bytes to go on.
    pub(super) fn take_over(
        &mut self,
        plan: &Plan,
        rows: &mut ResultsReader<impl std::io::BufRead>,
    ) -> Result<u64, Failure> {
        let mut seeds = plan.job(Vec::new()).seeds_per_cell();
        for row in rows.by_ref() {
            let fits = match row.map_err(|error| damaged(&error))? {
                Row::Cell(header) => {
                    seeds = plan.job(Vec::new()).seeds_per_cell();
                    let expected = self.cells.get(self.begun).map(|cell| &cell.header);
                    self.begun += 1;
                    expected == Some(&*header)
                }
                Row::Case { seed, outcome } => {
                    self.add(self.begun - 1, seed, &outcome);
                    seeds.next() == Some(seed)
                }
                Row::Decisive { seed, changed } => {
                    let known = self.results[self.begun - 1].samples().iter().any(|sample| sample.seed == seed);
                    self.results[self.begun - 1].decide(seed, changed);
                    known
                }
            };
            if !fits {
                let message = "results.jsonl holds other cells or seeds than this run would write";
                return Err(Failure::usage(message, "start afresh in another directory"));
            }
        }
        self.settled = self.begun.saturating_sub(1);
        Ok(rows.complete_bytes())
    }

    /// How many cases of each cell need not be run any more.
    pub(super) fn done(&self) -> Vec<u64> {
        let complete = |index: usize| index + 1 < self.begun || self.ended[index];
        (0..self.cells.len())
            .map(|index| if complete(index) { u64::MAX } else { self.results[index].cases() })
            .collect()
    }

    /// Runs the job and writes down what comes. `seen` hears of each case, and whether it ended its cell.
    pub(super) fn run(
        &mut self,
        job: &Job,
        out: impl Write,
        mut seen: impl FnMut(usize, &Outcome, bool),
        reproduce: impl Fn(&str, &str, u64) -> String,
    ) -> Result<(), Failure> {
        let mut rows = ResultsWriter::new(out);
        let mut failed = Ok(());
        let ran = job.run(|cell, seed, outcome| {
            if failed.is_ok() {
                failed = self.write(&mut rows, cell, seed, outcome);
            }
            if failed.is_err() {
                return ControlFlow::Break(());
            }
            self.add(cell, seed, outcome);
            seen(cell, outcome, self.ended[cell]);
            if self.ended[cell] { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        failed.map_err(|error| unwritten(&error))?;
        ran.map_err(|panic| {
            let mut parts = panic.case.rsplitn(3, '/');
            let (seed, lock, scenario) = (parts.next(), parts.next(), parts.next());
            let seed = seed.and_then(|seed| seed.parse().ok()).unwrap_or_default();
            Failure::panicked(&panic, &reproduce(scenario.unwrap_or_default(), lock.unwrap_or_default(), seed))
        })?;
        self.begin(&mut rows, self.cells.len()).map_err(|error| unwritten(&error))?;
        self.settle(&mut rows, self.cells.len()).map_err(|error| unwritten(&error))
    }

    /// What came of each cell.
    pub(super) fn into_results(self) -> Vec<CellResult> {
        self.results
    }

    fn add(&mut self, cell: usize, seed: u64, outcome: &Outcome) {
        self.results[cell].add(seed, outcome);
        self.ended[cell] |= self.stop.ends(&self.results[cell], outcome);
    }

    /// Flushed row by row, so that a killed run loses at most the last.
    fn write(
        &mut self,
        rows: &mut ResultsWriter<impl Write>,
        cell: usize,
        seed: u64,
        outcome: &Outcome,
    ) -> Result<(), ResultsError> {
        self.begin(rows, cell + 1)?;
        rows.case(seed, outcome)?;
        rows.flush()
    }

    /// Writes the lines of the first so many cells, also of those without cases.
    fn begin(&mut self, rows: &mut ResultsWriter<impl Write>, cells: usize) -> Result<(), ResultsError> {
        if self.begun < cells {
            self.settle(rows, self.begun)?;
        }
        for cell in self.cells.iter().take(cells).skip(self.begun) {
            rows.cell(&cell.header)?;
        }
        self.begun = self.begun.max(cells);
        rows.flush()
    }

    /// Looks again at violated cases of the first so many cells, all of whose cases are known, as far as that is not done
    /// yet. Meanwhile the threads go on with the cases of the next.
    fn settle(&mut self, rows: &mut ResultsWriter<impl Write>, cells: usize) -> Result<(), ResultsError> {
        for index in self.settled..cells {
            for sample in self.results[index].samples().to_vec().into_iter().filter(|sample| sample.changed.is_none()) {
                let changed = ablation::without_each(&self.cells[index], &sample);
                rows.decisive(sample.seed, &changed)?;
                rows.flush()?;
                self.results[index].decide(sample.seed, changed);
            }
        }
        self.settled = self.settled.max(cells);
        Ok(())
    }
}

/// Results that are there and cannot be used.
pub(super) fn damaged(error: &ResultsError) -> Failure {
    Failure::usage(format!("results.jsonl is damaged: {error}"), "run again into another directory")
}

/// Results that could not be written.
pub(super) fn unwritten(error: &ResultsError) -> Failure {
    Failure::internal(format!("{error}: {}", source_of(error)))
}

fn source_of(error: &dyn std::error::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

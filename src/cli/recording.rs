//! Records the results of cases in order: writes each row immediately and adds it to its cell.

use std::io::Write;
use std::ops::ControlFlow;

use fencepost_scenarios::run::case_result::CaseResult;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::job::Job;
use fencepost_scenarios::run::results::{CellResult, ResultsError, ResultsReader, ResultsWriter, Row};
use fencepost_scenarios::search::ablation;

use super::exit::Failure;
use super::plan::Plan;
use super::stop::StopRule;

/// The results of all cells so far.
#[derive(Debug)]
pub(super) struct Recording<'p> {
    cells: &'p [Cell],
    stop: &'p StopRule,
    results: Vec<CellResult>,
    ended: Vec<bool>,
    /// The number of cells whose header is written.
    headers: usize,
    /// The number of cells whose violated cases were ablated.
    ablated: usize,
}

impl<'p> Recording<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        let cells = plan.cells.as_slice();
        let (results, ended) = (vec![CellResult::default(); cells.len()], vec![false; cells.len()]);
        Recording { cells, stop: &plan.stop, results, ended, headers: 0, ablated: 0 }
    }

    /// Reads the rows of an earlier run. Returns the offset in bytes at which to continue.
    pub(super) fn resume(
        &mut self,
        plan: &Plan,
        rows: &mut ResultsReader<impl std::io::BufRead>,
    ) -> Result<u64, Failure> {
        let mut seeds = plan.job(Vec::new()).seeds_per_cell();
        for row in rows.by_ref() {
            let matches = match row.map_err(|error| damaged(&error))? {
                Row::Cell(header) => {
                    seeds = plan.job(Vec::new()).seeds_per_cell();
                    let expected = self.cells.get(self.headers).map(|cell| &cell.header);
                    self.headers += 1;
                    expected == Some(&*header)
                }
                Row::Case { seed, result } => {
                    self.add(self.headers - 1, seed, &result);
                    seeds.next() == Some(seed)
                }
                Row::Decisive { seed, changed } => {
                    let known = self.results[self.headers - 1].samples().iter().any(|sample| sample.seed == seed);
                    self.results[self.headers - 1].decide(seed, changed);
                    known
                }
            };
            if !matches {
                let message = "results.jsonl does not match the cells and seeds of this run";
                return Err(Failure::usage(message, "choose another directory with --out"));
            }
        }
        self.ablated = self.headers.saturating_sub(1);
        Ok(rows.complete_bytes())
    }

    /// Returns the number of finished cases of each cell; `u64::MAX` if the cell is complete.
    pub(super) fn done(&self) -> Vec<u64> {
        let complete = |index: usize| index + 1 < self.headers || self.ended[index];
        (0..self.cells.len())
            .map(|index| if complete(index) { u64::MAX } else { self.results[index].cases() })
            .collect()
    }

    /// Runs the job and writes a row for each case. `on_case` receives each result, and whether it was the last of its cell.
    pub(super) fn run(
        &mut self,
        job: &Job,
        out: impl Write,
        mut on_case: impl FnMut(usize, &CaseResult, bool),
        reproduce: impl Fn(&str, &str, u64) -> String,
    ) -> Result<(), Failure> {
        let mut rows = ResultsWriter::new(out);
        let mut failed = Ok(());
        let ran = job.run(|cell, seed, result| {
            if failed.is_ok() {
                failed = self.write(&mut rows, cell, seed, result);
            }
            if failed.is_err() {
                return ControlFlow::Break(());
            }
            self.add(cell, seed, result);
            on_case(cell, result, self.ended[cell]);
            if self.ended[cell] { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        failed.map_err(|error| unwritten(&error))?;
        ran.map_err(|panic| {
            let mut parts = panic.case.rsplitn(3, '/');
            let (seed, lock, scenario) = (parts.next(), parts.next(), parts.next());
            let seed = seed.and_then(|seed| seed.parse().ok()).unwrap_or_default();
            Failure::panicked(&panic, &reproduce(scenario.unwrap_or_default(), lock.unwrap_or_default(), seed))
        })?;
        self.write_headers(&mut rows, self.cells.len()).map_err(|error| unwritten(&error))?;
        self.ablate(&mut rows, self.cells.len()).map_err(|error| unwritten(&error))
    }

    /// Returns the results of all cells.
    pub(super) fn into_results(self) -> Vec<CellResult> {
        self.results
    }

    fn add(&mut self, cell: usize, seed: u64, result: &CaseResult) {
        self.results[cell].add(seed, result);
        self.ended[cell] |= self.stop.ends(&self.results[cell], result);
    }

    /// Writes and flushes a row, so a killed run loses at most one.
    fn write(
        &mut self,
        rows: &mut ResultsWriter<impl Write>,
        cell: usize,
        seed: u64,
        result: &CaseResult,
    ) -> Result<(), ResultsError> {
        self.write_headers(rows, cell + 1)?;
        rows.case(seed, result)?;
        rows.flush()
    }

    /// Writes the headers of the first `cells` cells, including cells without cases.
    fn write_headers(&mut self, rows: &mut ResultsWriter<impl Write>, cells: usize) -> Result<(), ResultsError> {
        if self.headers < cells {
            self.ablate(rows, self.headers)?;
        }
        for cell in self.cells.iter().take(cells).skip(self.headers) {
            rows.cell(&cell.header)?;
        }
        self.headers = self.headers.max(cells);
        rows.flush()
    }

    /// Ablates violated cases of the first `cells` cells, whose cases are all done, unless already ablated. Meanwhile, the
    /// other threads continue with the next cell.
    fn ablate(&mut self, rows: &mut ResultsWriter<impl Write>, cells: usize) -> Result<(), ResultsError> {
        for index in self.ablated..cells {
            for sample in self.results[index].samples().to_vec().into_iter().filter(|sample| sample.changed.is_none()) {
                let changed = ablation::without_each(&self.cells[index], &sample);
                rows.decisive(sample.seed, &changed)?;
                rows.flush()?;
                self.results[index].decide(sample.seed, changed);
            }
        }
        self.ablated = self.ablated.max(cells);
        Ok(())
    }
}

/// Returns the failure for results that cannot be used.
pub(super) fn damaged(error: &ResultsError) -> Failure {
    Failure::usage(format!("results.jsonl is damaged: {error}"), "run again with another --out")
}

/// Returns the failure for results that could not be written.
pub(super) fn unwritten(error: &ResultsError) -> Failure {
    Failure::internal(format!("{error}: {}", source_of(error)))
}

fn source_of(error: &dyn std::error::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

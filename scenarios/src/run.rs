//! Runs many cases on all cores. Results come out in order, cell by cell and seed by seed, so that nothing that is made
//! of them depends on how many cores there are.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::case;
use crate::cell::Cell;
use crate::outcome::Outcome;

/// What to run.
#[derive(Debug, Default)]
pub struct Job {
    /// The cells; those that are not applicable are skipped.
    pub cells: Vec<Cell>,
    /// The seeds of each cell.
    pub seeds: Range<u64>,
    /// How many threads; at least one is used.
    pub threads: usize,
    /// Only every n-th seed, beginning with the i-th: `(i, n)`, counted from 1.
    pub shard: Option<(u64, u64)>,
    /// How many cases of each cell are done already, by an earlier run.
    pub done: Vec<u64>,
}

/// A case that could not be run to its end: a bug of fencepost or of a lock from outside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the case {case} panicked: {message}")]
pub struct CasePanicked {
    /// The case, as `replay` takes it.
    pub case: String,
    /// What the panic said.
    pub message: String,
}

/// Cases are handed to threads in chunks of this many, so that handing out costs nothing.
const CHUNK: u64 = 16;

/// A stretch of one cell's seeds, as positions in the list of the seeds that are this job's.
struct Chunk {
    cell: usize,
    positions: Range<u64>,
}

/// A chunk's cell and outcomes.
type Outcomes = Result<(usize, Vec<(u64, Outcome)>), CasePanicked>;

impl Job {
    /// How many seeds of each cell are this job's to run.
    pub fn seeds_per_cell(&self) -> u64 {
        let (first, step) = self.shard.map_or((0, 1), |(i, n)| (i - 1, n));
        (self.seeds.end.saturating_sub(self.seeds.start)).saturating_sub(first).div_ceil(step)
    }

    fn seed_at(&self, position: u64) -> u64 {
        let (first, step) = self.shard.map_or((0, 1), |(i, n)| (i - 1, n));
        self.seeds.start + first + position * step
    }

    fn done(&self, cell: usize) -> u64 {
        self.done.get(cell).copied().unwrap_or(0)
    }

    /// How many chunks each cell has.
    fn chunk_counts(&self) -> Vec<usize> {
        let count = |(index, cell): (usize, &Cell)| match cell.header.applicable {
            true => self.seeds_per_cell().saturating_sub(self.done(index)).div_ceil(CHUNK) as usize,
            false => 0,
        };
        self.cells.iter().enumerate().map(count).collect()
    }

    /// The chunk with this number, counted through all cells.
    fn chunk(&self, counts: &[usize], mut number: usize) -> Option<Chunk> {
        for (cell, count) in counts.iter().enumerate() {
            if number < *count {
                let first = self.done(cell) + number as u64 * CHUNK;
                return Some(Chunk { cell, positions: first..(first + CHUNK).min(self.seeds_per_cell()) });
            }
            number -= count;
        }
        None
    }

    /// Runs everything. `sink` gets each outcome in order, with the index of its cell; it may end a cell early.
    ///
    /// # Errors
    /// If a case panicked. What `sink` got before that stays valid.
    pub fn run(&self, mut sink: impl FnMut(usize, u64, &Outcome) -> ControlFlow<()>) -> Result<(), CasePanicked> {
        let counts = self.chunk_counts();
        let ended: Vec<AtomicBool> = self.cells.iter().map(|_| AtomicBool::new(false)).collect();
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            let (sender, results) = channel::<(usize, Outcomes)>();
            for _ in 0..self.threads.max(1) {
                let (sender, counts, ended, next) = (sender.clone(), &counts, &ended, &next);
                scope.spawn(move || self.work(counts, ended, next, &sender));
            }
            drop(sender);
            let stop = || next.store(counts.iter().sum(), Ordering::Relaxed);
            let mut waiting = BTreeMap::new();
            let mut expected = 0;
            for (index, outcomes) in results {
                waiting.insert(index, outcomes);
                while let Some(outcomes) = waiting.remove(&expected) {
                    let (cell, outcomes) = outcomes.inspect_err(|_| stop())?;
                    for (seed, outcome) in &outcomes {
                        if !ended[cell].load(Ordering::Relaxed) && sink(cell, *seed, outcome).is_break() {
                            ended[cell].store(true, Ordering::Relaxed);
                        }
                    }
                    expected += 1;
                }
            }
            Ok(())
        })
    }

    fn work(&self, counts: &[usize], ended: &[AtomicBool], next: &AtomicUsize, sender: &Sender<(usize, Outcomes)>) {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = self.chunk(counts, number) else { return };
            let outcomes = match ended[chunk.cell].load(Ordering::Relaxed) {
                true => Ok(Vec::new()),
                false => self.run_chunk(&chunk),
            };
            if sender.send((number, outcomes.map(|outcomes| (chunk.cell, outcomes)))).is_err() {
                return;
            }
        }
    }

    fn run_chunk(&self, chunk: &Chunk) -> Result<Vec<(u64, Outcome)>, CasePanicked> {
        let seeds = chunk.positions.clone().map(|position| self.seed_at(position));
        seeds.map(|seed| Ok((seed, run_caught(&self.cells[chunk.cell], seed)?))).collect()
    }
}

fn run_caught(cell: &Cell, seed: u64) -> Result<Outcome, CasePanicked> {
    catch_unwind(AssertUnwindSafe(|| case::run(cell, seed, None).outcome)).map_err(|panic| {
        let message = (panic.downcast_ref::<&str>().map(|text| text.to_string()))
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "it said nothing".into());
        CasePanicked { case: cell.case_name(seed), message }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_deal_the_seeds_round_robin_and_lose_none() {
        let seeds_of = |i, n| {
            let job = Job { seeds: 10..27, shard: Some((i, n)), ..Job::default() };
            (0..job.seeds_per_cell()).map(|position| job.seed_at(position)).collect::<Vec<_>>()
        };
        assert_eq!(seeds_of(2, 5), [11, 16, 21, 26]);
        let mut all: Vec<u64> = (1..=5).flat_map(|i| seeds_of(i, 5)).collect();
        all.sort_unstable();
        assert_eq!(all, (10..27).collect::<Vec<_>>());
        assert!(seeds_of(20, 20).is_empty());
    }
}

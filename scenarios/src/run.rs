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

struct Chunk {
    cell: usize,
    seeds: Vec<u64>,
}

type Outcomes = Result<Vec<(u64, Outcome)>, CasePanicked>;

impl Job {
    /// The seeds of each cell that are this job's to run.
    pub fn seeds_per_cell(&self) -> impl Iterator<Item = u64> + use<> {
        let (first, step) = self.shard.map_or((0, 1), |(i, n)| (i - 1, n));
        let range = self.seeds.clone();
        (range.start + first..range.end).step_by(step as usize)
    }

    fn chunks(&self) -> Vec<Chunk> {
        let applicable = self.cells.iter().enumerate().filter(|(_, cell)| cell.header.applicable);
        applicable
            .flat_map(|(cell, _)| {
                let done = self.done.get(cell).copied().unwrap_or(0) as usize;
                let seeds: Vec<u64> = self.seeds_per_cell().skip(done).collect();
                seeds.chunks(CHUNK as usize).map(|seeds| Chunk { cell, seeds: seeds.to_vec() }).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Runs everything. `sink` gets each outcome in order, with the index of its cell; it may end a cell early.
    ///
    /// # Errors
    /// If a case panicked. What `sink` got before that stays valid.
    pub fn run(&self, mut sink: impl FnMut(usize, u64, &Outcome) -> ControlFlow<()>) -> Result<(), CasePanicked> {
        let chunks = self.chunks();
        let ended: Vec<AtomicBool> = self.cells.iter().map(|_| AtomicBool::new(false)).collect();
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            let (sender, results) = channel::<(usize, Outcomes)>();
            for _ in 0..self.threads.max(1) {
                let (sender, chunks, ended, next) = (sender.clone(), &chunks, &ended, &next);
                scope.spawn(move || self.work(chunks, ended, next, &sender));
            }
            drop(sender);
            let stop = || next.store(chunks.len(), Ordering::Relaxed);
            let mut waiting = BTreeMap::new();
            let mut expected = 0;
            for (index, outcomes) in results {
                waiting.insert(index, outcomes);
                while let Some(outcomes) = waiting.remove(&expected) {
                    let cell = chunks[expected].cell;
                    let outcomes = outcomes.inspect_err(|_| stop())?;
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

    fn work(&self, chunks: &[Chunk], ended: &[AtomicBool], next: &AtomicUsize, sender: &Sender<(usize, Outcomes)>) {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = chunks.get(index) else { return };
            let cell = &self.cells[chunk.cell];
            let outcomes = match ended[chunk.cell].load(Ordering::Relaxed) {
                true => Ok(Vec::new()),
                false => chunk.seeds.iter().map(|seed| Ok((*seed, run_caught(cell, *seed)?))).collect(),
            };
            if sender.send((index, outcomes)).is_err() {
                return;
            }
        }
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

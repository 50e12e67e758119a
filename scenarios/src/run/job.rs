//! Runs many cases on several threads. Results come in order, cell by cell and seed by seed, so they do not depend on
//! the number of threads.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use crate::run::case;
use crate::run::case_result::CaseResult;
use crate::run::cell::Cell;

/// What to run.
#[derive(Debug, Default)]
pub struct Job {
    /// The cells; those that are not applicable are skipped.
    pub cells: Vec<Cell>,
    /// The seeds of each cell.
    pub seeds: Range<u64>,
    /// The number of threads; at least one is used.
    pub threads: usize,
    /// Only every nth seed, from the ith: `(i, n)`, counted from 1.
    pub shard: Option<(u64, u64)>,
    /// The number of cases of each cell that an earlier run completed.
    pub done: Vec<u64>,
}

/// A case that panicked: a bug in fencepost or in a user's own lock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the case {case} panicked: {message}")]
pub struct CasePanicked {
    /// The case, as `replay` takes it.
    pub case: String,
    /// The message of the panic.
    pub message: String,
}

/// Threads take cases in chunks of this size, which makes the cost of the queue negligible.
const CHUNK: u64 = 16;

/// Threads run at most this many chunks ahead of the oldest unfinished one, which bounds the memory for finished
/// results when one case is slow.
const LEAD: u64 = 1024;

type Results = Result<Vec<(u64, CaseResult)>, CasePanicked>;

impl Job {
    /// Returns the seeds of each cell that belong to this job.
    pub fn seeds_per_cell(&self) -> impl Iterator<Item = u64> + use<> {
        let (first, step) = self.first_and_step();
        (0..self.cases_per_cell()).map(move |nth| first + nth * step)
    }

    /// Returns the number of seeds of each cell that belong to this job.
    pub fn cases_per_cell(&self) -> u64 {
        let (first, step) = self.first_and_step();
        self.seeds.end.saturating_sub(first).div_ceil(step)
    }

    fn first_and_step(&self) -> (u64, u64) {
        self.shard.map_or((self.seeds.start, 1), |(i, n)| (self.seeds.start + i - 1, n))
    }

    /// Runs all cases. `sink` receives each result in order, with the index of its cell; it may end a cell early.
    ///
    /// # Errors
    /// If a case panics. The results passed to `sink` before remain valid.
    pub fn run(&self, mut sink: impl FnMut(usize, u64, &CaseResult) -> ControlFlow<()>) -> Result<(), CasePanicked> {
        let chunks = Chunks::new(self);
        let ended: Vec<AtomicBool> = self.cells.iter().map(|_| AtomicBool::new(false)).collect();
        let queue = Queue::default();
        thread::scope(|scope| {
            let (sender, results) = channel::<(u64, Results)>();
            for _ in 0..self.threads.max(1) {
                let (sender, chunks, ended, queue) = (sender.clone(), &chunks, &ended, &queue);
                scope.spawn(move || self.work(chunks, ended, queue, &sender));
            }
            drop(sender);
            // Releases waiting threads on every exit from this scope.
            let _open = OpenWhenDone(&queue);
            let mut waiting = BTreeMap::new();
            let mut expected = 0;
            for (index, results) in results {
                waiting.insert(index, results);
                while let Some(results) = waiting.remove(&expected) {
                    for (seed, result) in &results? {
                        let cell = chunks.cell(expected);
                        if !ended[cell].load(Ordering::Relaxed) && sink(cell, *seed, result).is_break() {
                            ended[cell].store(true, Ordering::Relaxed);
                        }
                    }
                    expected += 1;
                    queue.move_on(expected);
                }
            }
            Ok(())
        })
    }

    fn work(&self, chunks: &Chunks, ended: &[AtomicBool], queue: &Queue, sender: &Sender<(u64, Results)>) {
        loop {
            let index = queue.take();
            if index >= chunks.count() {
                return;
            }
            let cell = chunks.cell(index);
            let results = match ended[cell].load(Ordering::Relaxed) {
                true => Ok(Vec::new()),
                false => {
                    chunks.seeds(index).map(|seed| Ok((seed, run_catching_panics(&self.cells[cell], seed)?))).collect()
                }
            };
            if sender.send((index, results)).is_err() {
                return;
            }
        }
    }
}

/// The chunks of all cells, computed on demand: a list would need memory for a million cases.
struct Chunks {
    first_and_step: (u64, u64),
    cases_per_cell: u64,
    /// The number of completed cases of each cell.
    done: Vec<u64>,
    /// For each cell, the number of chunks of it and all cells before it.
    ends: Vec<u64>,
}

impl Chunks {
    fn new(job: &Job) -> Self {
        let cases_per_cell = job.cases_per_cell();
        let nothing_to_do = |index: usize| match job.cells[index].header.applicable {
            true => job.done.get(index).copied().unwrap_or(0).min(cases_per_cell),
            false => cases_per_cell,
        };
        let done: Vec<u64> = (0..job.cells.len()).map(nothing_to_do).collect();
        let chunks = done.iter().map(|done| (cases_per_cell - done).div_ceil(CHUNK));
        let ends = chunks.scan(0, |end, chunks| {
            *end += chunks;
            Some(*end)
        });
        Chunks { first_and_step: job.first_and_step(), cases_per_cell, ends: ends.collect(), done }
    }

    fn count(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    fn cell(&self, index: u64) -> usize {
        self.ends.partition_point(|end| *end <= index)
    }

    fn seeds(&self, index: u64) -> impl Iterator<Item = u64> + use<> {
        let cell = self.cell(index);
        let begin = if cell == 0 { 0 } else { self.ends[cell - 1] };
        let from = self.done[cell] + (index - begin) * CHUNK;
        let (first, step) = self.first_and_step;
        (from..(from + CHUNK).min(self.cases_per_cell)).map(move |nth| first + nth * step)
    }
}

/// Hands out chunks in order, at most [`LEAD`] ahead.
#[derive(Default)]
struct Queue {
    next: AtomicU64,
    /// All chunks before this one have been passed to `sink`.
    used: Mutex<u64>,
    moved: Condvar,
}

impl Queue {
    /// Returns the next chunk, and waits while it is too far ahead. The thread with the oldest chunk never waits.
    fn take(&self) -> u64 {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.moved.wait_while(used, |used| index >= used.saturating_add(LEAD)));
        index
    }

    fn move_on(&self, used: u64) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = used;
        self.moved.notify_all();
    }
}

/// Ends the queue for all threads when dropped.
struct OpenWhenDone<'q>(&'q Queue);

impl Drop for OpenWhenDone<'_> {
    fn drop(&mut self) {
        self.0.next.store(u64::MAX / 2, Ordering::Relaxed);
        self.0.move_on(u64::MAX);
    }
}

/// Runs a case and catches a panic.
pub(crate) fn run_catching_panics(cell: &Cell, seed: u64) -> Result<CaseResult, CasePanicked> {
    catch_panic(cell, seed, || case::run(cell, seed, None).result)
}

/// Runs `work` on this case and catches a panic.
pub(crate) fn catch_panic<T>(cell: &Cell, seed: u64, work: impl FnOnce() -> T) -> Result<T, CasePanicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let message = (panic.downcast_ref::<&str>().map(|text| text.to_string()))
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".into());
        CasePanicked { case: cell.case_name(seed), message }
    })
}

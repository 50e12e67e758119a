//! Runs a case and writes its trace or its history to a file.

use std::cell::RefCell;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::rc::Rc;

use fencepost_scenarios::run::case::{self, CaseReport};
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::history_writer::HistoryWriter;
use fencepost_scenarios::run::trace_file::TraceFile;

use super::exit::Failure;

/// Runs the case and writes its trace to the file, one event per line.
pub(super) fn run_traced(cell: &Cell, seed: u64, path: &Path) -> Result<CaseReport, Failure> {
    let cell = &*cell.drawn(seed);
    let cannot_write = |error| Failure::path("write", path, error);
    let file = File::create(path).map_err(cannot_write)?;
    let trace = Rc::new(RefCell::new(TraceFile::new(BufWriter::new(file), cell.nodes())));
    let report = case::run(cell, seed, Some(trace.clone()));
    trace.borrow_mut().finish().map_err(cannot_write)?;
    Ok(report)
}

/// Runs the case and writes the history of its lock to the file, in the format of `check`.
pub(super) fn write_history(cell: &Cell, seed: u64, path: &Path) -> Result<(), Failure> {
    let cannot_write = |error| Failure::path("write", path, error);
    let file = File::create(path).map_err(cannot_write)?;
    let history = Rc::new(RefCell::new(HistoryWriter::new(cell.nodes())));
    case::run(cell, seed, Some(history.clone()));
    history.take().write(BufWriter::new(file)).map_err(cannot_write)
}

//! `results.jsonl`: one line per cell, then one line per case, then one line per violated case that ran again without
//! each of its faults. Written and read as a stream.

use std::borrow::Cow;
use std::io::{self, BufRead, Read, Write};

use serde::de::Error as _;

use self::wire::{CaseLine, DecisiveLine, HeaderLine, Probe};
use super::{CellHeader, CellResult};
use crate::run::case_result::CaseResult;

mod wire;

/// The longest line in bytes that the reader accepts. The limit prevents damaged files from filling the memory.
const LONGEST_LINE: u64 = 1 << 20;

/// One line of the file.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// A cell begins; the following cases belong to it.
    Cell(Box<CellHeader>),
    /// One case of the last cell.
    Case {
        /// The seed.
        seed: u64,
        /// The result.
        result: CaseResult,
    },
    /// A violated case of the last cell, run again without each of its faults.
    Decisive {
        /// The seed.
        seed: u64,
        /// For each fault, whether removing it removed a violation.
        changed: Vec<Option<bool>>,
    },
}

/// Why results cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// Reading or writing failed.
    #[error("cannot read or write results")]
    Io(#[from] io::Error),
    /// A line is too long.
    #[error("line {line}: longer than {LONGEST_LINE} bytes")]
    TooLong {
        /// Counted from 1.
        line: u64,
    },
    /// A line is not a row.
    #[error("line {line}: {source}")]
    Malformed {
        /// Counted from 1.
        line: u64,
        /// The JSON error.
        source: serde_json::Error,
    },
    /// A case comes before the first cell.
    #[error("line {line}: a case before the first cell")]
    CaseWithoutCell {
        /// Counted from 1.
        line: u64,
    },
    /// Two parts have different headers for the same cell, so they come from different runs.
    #[error("{scenario}/{lock} has two different headers")]
    Conflicting {
        /// The cell's scenario.
        scenario: String,
        /// The cell's lock.
        lock: String,
    },
}

/// Writes rows.
#[derive(Debug)]
pub struct ResultsWriter<W> {
    out: W,
}

impl<W: Write> ResultsWriter<W> {
    /// Creates a writer to `out`, which should be buffered.
    pub fn new(out: W) -> Self {
        ResultsWriter { out }
    }

    /// Begins a cell; the following cases belong to it.
    pub fn cell(&mut self, header: &CellHeader) -> Result<(), ResultsError> {
        self.line(&HeaderLine { cell: Cow::Borrowed(header) })
    }

    /// Writes one case.
    pub fn case(&mut self, seed: u64, result: &CaseResult) -> Result<(), ResultsError> {
        self.line(&CaseLine::new(seed, result))
    }

    /// Writes the result of running a violated case again without each of its faults.
    pub fn decisive(&mut self, seed: u64, changed: &[Option<bool>]) -> Result<(), ResultsError> {
        self.line(&DecisiveLine { decisive: seed, changed: changed.to_vec() })
    }

    /// Flushes the output.
    pub fn flush(&mut self) -> Result<(), ResultsError> {
        Ok(self.out.flush()?)
    }

    /// Returns the output.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn line(&mut self, row: &impl serde::Serialize) -> Result<(), ResultsError> {
        serde_json::to_writer(&mut self.out, row).map_err(io::Error::from)?;
        Ok(self.out.write_all(b"\n")?)
    }
}

/// Reads rows. An interrupted run may leave an incomplete last line: the reader skips it, and
/// [`ResultsReader::truncated`] returns true. The reader ends after the first error.
#[derive(Debug)]
pub struct ResultsReader<R> {
    input: R,
    line: u64,
    complete_bytes: u64,
    in_cell: bool,
    truncated: bool,
    done: bool,
}

impl<R: BufRead> ResultsReader<R> {
    /// Creates a reader of `input`.
    pub fn new(input: R) -> Self {
        ResultsReader { input, line: 0, complete_bytes: 0, in_cell: false, truncated: false, done: false }
    }

    /// Returns the size in bytes of the rows read so far. A resumed run truncates the file there and continues.
    pub fn complete_bytes(&self) -> u64 {
        self.complete_bytes
    }

    /// Returns whether the input ended within a line.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    fn read(&mut self) -> Result<Option<Row>, ResultsError> {
        let mut bytes = Vec::new();
        let length = self.input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes)? as u64;
        self.line += 1;
        if bytes.last() != Some(&b'\n') {
            if length == LONGEST_LINE {
                return Err(ResultsError::TooLong { line: self.line });
            }
            self.truncated = length > 0;
            return Ok(None);
        }
        let row = self.parse(&bytes)?;
        self.in_cell |= matches!(row, Row::Cell(_));
        if !self.in_cell {
            return Err(ResultsError::CaseWithoutCell { line: self.line });
        }
        self.complete_bytes += length;
        Ok(Some(row))
    }

    fn parse(&self, bytes: &[u8]) -> Result<Row, ResultsError> {
        let malformed = |source| ResultsError::Malformed { line: self.line, source };
        // An untagged enum would report every error as "matched no variant". Nearly all lines are cases, so the other
        // kinds are tried only for lines that are not cases.
        let line: CaseLine = match serde_json::from_slice(bytes) {
            Ok(line) => line,
            Err(error) => return self.parse_rare(bytes, error),
        };
        let seed = line.seed;
        let result = line.into_result().map_err(|what| malformed(serde_json::Error::custom(what)))?;
        Ok(Row::Case { seed, result })
    }

    /// Parses a line that is not a case. `error` says why it is not.
    fn parse_rare(&self, bytes: &[u8], error: serde_json::Error) -> Result<Row, ResultsError> {
        let malformed = |source| ResultsError::Malformed { line: self.line, source };
        let probe: Probe = serde_json::from_slice(bytes).map_err(malformed)?;
        if probe.cell.is_some() {
            let line: HeaderLine = serde_json::from_slice(bytes).map_err(malformed)?;
            return Ok(Row::Cell(Box::new(line.cell.into_owned())));
        }
        if probe.decisive.is_some() {
            let DecisiveLine { decisive, changed } = serde_json::from_slice(bytes).map_err(malformed)?;
            return Ok(Row::Decisive { seed: decisive, changed });
        }
        Err(malformed(error))
    }
}

impl<R: BufRead> Iterator for ResultsReader<R> {
    type Item = Result<Row, ResultsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let row = self.read().transpose();
        self.done = !matches!(row, Some(Ok(_)));
        row
    }
}

/// Reads all rows and sums them up per cell. A cell may occur several times, as in concatenated shards.
///
/// # Errors
/// If the input cannot be read, a line is not a row, or two headers of one cell differ.
pub fn read_cells(input: impl BufRead) -> Result<Vec<(CellHeader, CellResult)>, ResultsError> {
    let mut cells: Vec<(CellHeader, CellResult)> = Vec::new();
    let mut current = 0;
    for row in ResultsReader::new(input) {
        match row? {
            Row::Cell(header) => current = find_or_add(&mut cells, *header)?,
            Row::Case { seed, result } => cells[current].1.add(seed, &result),
            Row::Decisive { seed, changed } => cells[current].1.decide(seed, changed),
        }
    }
    Ok(cells)
}

fn find_or_add(cells: &mut Vec<(CellHeader, CellResult)>, header: CellHeader) -> Result<usize, ResultsError> {
    let same = |known: &CellHeader| known.scenario == header.scenario && known.lock == header.lock;
    let Some(at) = cells.iter().position(|(known, _)| same(known)) else {
        cells.push((header, CellResult::default()));
        return Ok(cells.len() - 1);
    };
    if cells[at].0 != header {
        return Err(ResultsError::Conflicting { scenario: header.scenario, lock: header.lock });
    }
    Ok(at)
}

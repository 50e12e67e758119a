//! `results.jsonl`: a line for each cell, followed by a line for each of its cases, and one for each of its violated cases
//! that was looked at again without its faults. Written and read as a stream.

use std::io::{self, BufRead, Read, Write};

use serde::de::Error as _;

use self::wire::{CaseLine, CellLine, DecisiveLine, HeaderLine, Probe};
use super::{CellHeader, CellResult};
use crate::run::case_result::CaseResult;

mod wire;

/// Longer lines are no results: the reader must not fill the memory with them.
const LONGEST_LINE: u64 = 1 << 20;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// A cell begins; the cases that follow are its own.
    Cell(Box<CellHeader>),
    /// One case of the cell begun last.
    Case {
        /// Its seed.
        seed: u64,
        /// What it came to.
        result: CaseResult,
    },
    /// A violated case of the cell was looked at again.
    Decisive {
        /// Its seed.
        seed: u64,
        /// For each fault, whether taking it out took a violation away.
        changed: Vec<Option<bool>>,
    },
}

/// What can be wrong with results.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// Reading or writing failed.
    #[error("results could not be read or written")]
    Io(#[from] io::Error),
    /// A line is longer than any result.
    #[error("line {line}: longer than {LONGEST_LINE} bytes")]
    TooLong {
        /// Counted from 1.
        line: u64,
    },
    /// A line is not what a row looks like.
    #[error("line {line}: {source}")]
    Malformed {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A case comes before the first cell.
    #[error("line {line}: a case before the first cell")]
    CaseWithoutCell {
        /// Counted from 1.
        line: u64,
    },
    /// Two parts describe the same cell differently, so they do not belong together.
    #[error("{scenario}/{lock} is described in two different ways")]
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
    /// Writes to `out`, which should be buffered.
    pub fn new(out: W) -> Self {
        ResultsWriter { out }
    }

    /// Begins a cell: the cases that follow are its own.
    pub fn cell(&mut self, header: &CellHeader) -> Result<(), ResultsError> {
        self.line(&HeaderLine { cell: CellLine::from(header) })
    }

    /// Writes one case.
    pub fn case(&mut self, seed: u64, result: &CaseResult) -> Result<(), ResultsError> {
        self.line(&CaseLine::of(seed, result))
    }

    /// Writes what came of looking at a violated case again.
    pub fn decisive(&mut self, seed: u64, changed: &[Option<bool>]) -> Result<(), ResultsError> {
        self.line(&DecisiveLine { decisive: seed, changed: changed.to_vec() })
    }

    /// Hands everything on to where it is written.
    pub fn flush(&mut self) -> Result<(), ResultsError> {
        Ok(self.out.flush()?)
    }

    /// What it wrote to.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn line(&mut self, row: &impl serde::Serialize) -> Result<(), ResultsError> {
        serde_json::to_writer(&mut self.out, row).map_err(io::Error::from)?;
        Ok(self.out.write_all(b"\n")?)
    }
}

/// Reads rows. A last line without its end is what an interrupted run leaves behind: it is left out, and
/// [`ResultsReader::truncated`] says so. After an error there is nothing more to read.
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
    /// Reads from `input`.
    pub fn new(input: R) -> Self {
        ResultsReader { input, line: 0, complete_bytes: 0, in_cell: false, truncated: false, done: false }
    }

    /// How many bytes the rows read so far take: where a resumed run cuts the file and goes on writing.
    pub fn complete_bytes(&self) -> u64 {
        self.complete_bytes
    }

    /// Whether the input ended in the middle of a line.
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
        // By hand, since an untagged enum would hide what is wrong with a line behind "matched no variant". Nearly all
        // lines are cases, so the other kinds are looked for only where a line is none.
        let line: CaseLine = match serde_json::from_slice(bytes) {
            Ok(line) => line,
            Err(error) => return self.parse_rare(bytes, error),
        };
        let seed = line.seed;
        let result = line.into_result().map_err(|what| malformed(serde_json::Error::custom(what)))?;
        Ok(Row::Case { seed, result })
    }

    /// A line that is no case, and why it is none.
    fn parse_rare(&self, bytes: &[u8], error: serde_json::Error) -> Result<Row, ResultsError> {
        let malformed = |source| ResultsError::Malformed { line: self.line, source };
        let probe: Probe = serde_json::from_slice(bytes).map_err(malformed)?;
        if probe.cell.is_some() {
            let line: HeaderLine = serde_json::from_slice(bytes).map_err(malformed)?;
            let header = line.cell.into_header().map_err(|what| malformed(serde_json::Error::custom(what)))?;
            return Ok(Row::Cell(Box::new(header)));
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

/// Reads everything and adds it up. A cell that comes up again, as in the parts of a sharded run laid end to end, is
/// added to.
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

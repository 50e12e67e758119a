//! A trace as JSON Lines: one event a line.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use fencepost_scenarios::recorder::{Sighting, Watcher};
use serde::Serialize;

use super::exit::Failure;

/// Writes down everything that happens in a case.
pub(super) struct TraceFile {
    out: BufWriter<File>,
    /// What went wrong first: a watcher cannot stop a case.
    failed: io::Result<()>,
}

#[derive(Serialize)]
struct Line<'a> {
    /// True time.
    t_ns: u64,
    what: &'a serde_json::Value,
}

impl TraceFile {
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|error| Failure::path("write", path, error))?;
        Ok(TraceFile { out: BufWriter::new(file), failed: Ok(()) })
    }

    /// Writes what is left, and says whether all is written.
    pub(super) fn finish(&mut self, path: &Path) -> Result<(), Failure> {
        let written = std::mem::replace(&mut self.failed, Ok(())).and_then(|()| self.out.flush());
        written.map_err(|error| Failure::path("write", path, error))
    }

    fn write(&mut self, line: &Line<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")
    }
}

impl Watcher for TraceFile {
    fn see(&mut self, sighting: &Sighting<'_>) {
        if self.failed.is_ok() {
            self.failed = self.write(&Line { t_ns: sighting.at.0, what: sighting.what });
        }
    }
}

//! Reads and writes files of runs, and the reproducers that all searches write.

use std::fs;
use std::path::{Path, PathBuf};

use fencepost_reports::text::replay_file_command;
use fencepost_scenarios::run::cell::Cell;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::exit::Failure;

/// Creates a directory and its parents.
pub(super) fn create_dir(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| Failure::path("create", path, error))
}

pub(super) fn read_file(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::path("read", path, error))
}

/// Writes a file such that readers never see a part of it.
pub(super) fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    let written = fencepost_reports::write_file(path, text.as_bytes());
    written.map_err(|error| Failure::internal(format!("cannot write {}: {error}", path.display())))
}

pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    serde_json::from_str(&read_file(path)?).map_err(|error| Failure::path("read", path, error))
}

pub(super) fn write_json(path: &Path, value: &(impl Serialize + ?Sized)) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::internal(error.to_string()))?;
    write_file(path, &(text + "\n"))
}

/// Returns the file name of the reproducer of a cell.
pub(super) fn reproducer_name(scenario: &str, lock: &str) -> String {
    format!("{scenario}--{lock}.toml")
}

/// Returns the path of a cell's reproducer in `dir`, which is created if needed.
pub(super) fn reproducer_path(dir: &Path, cell: &Cell) -> Result<PathBuf, Failure> {
    create_dir(dir)?;
    Ok(dir.join(reproducer_name(&cell.header.scenario, &cell.header.lock)))
}

/// Writes a reproducer and prints the command that replays it.
pub(super) fn write_reproducer(path: &Path, text: &str) -> Result<(), Failure> {
    write_file(path, text)?;
    eprintln!("  to reproduce: {}", replay_file_command(&path.display().to_string()));
    Ok(())
}

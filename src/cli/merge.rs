//! `fencepost merge`: merges the shards of a run. The result is the same as without shards.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;

use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::results::{CellHeader, CellResult, ResultsError, ResultsReader, ResultsWriter, Row};

use super::directory::Directory;
use super::exit::{Exit, Failure};
use super::manifest::Manifest;
use super::recording::{damaged, unwritten};
use super::report::{ReportPaths, write_report};
use super::reproducers;
use super::screen::print;
use super::seeds::Shard;

/// The arguments of `merge`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The directories of all shards
    #[arg(value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,
    /// The directory to write to
    #[arg(long, value_name = "DIR", env = "FENCEPOST_OUT")]
    out: PathBuf,
}

/// One shard of the run.
struct Part {
    directory: Directory,
    manifest: Manifest,
}

impl Part {
    fn shard(&self) -> Shard {
        self.manifest.shard.unwrap_or(Shard { number: 1, of: 1 })
    }

    fn name(&self) -> String {
        self.directory.path().display().to_string()
    }
}

/// Runs `merge`.
pub(super) fn merge(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    let mut parts = Vec::new();
    for dir in &arguments.dirs {
        let (directory, manifest) = Directory::existing(dir)?;
        parts.push(Part { directory, manifest });
    }
    reject_mixed_runs(&parts)?;
    reject_missing_shards(&parts)?;
    parts.sort_by_key(|part| part.shard().number);
    let out = Directory::new(&arguments.out)?;
    let manifest = merged(&parts);
    let cells = join(&parts, &out)?;
    reproducers::merge(&parts.iter().map(|part| part.directory.path()).collect::<Vec<_>>(), out.path())?;
    let page = write_report(registry, &manifest, &cells, Vec::new(), &ReportPaths::within(out.path()))?;
    manifest.write(out.path())?;
    print(&format!("merged {} shards, {} cells\nreport: {}\n", parts.len(), cells.len(), page.display()))?;
    Ok(Exit::Done)
}

fn reject_mixed_runs(parts: &[Part]) -> Result<(), Failure> {
    for part in &parts[1..] {
        let one = &parts[0];
        let difference = one.manifest.difference(&part.manifest, false);
        let difference = difference.or((one.shard().of != part.shard().of).then_some("shard"));
        if let Some(input) = difference {
            let message = format!("{} and {} belong to different runs: `{input}` differs", one.name(), part.name());
            return Err(Failure::usage(message, "merge only shards with the same inputs: compare their run.json"));
        }
    }
    Ok(())
}

/// Requires each shard exactly once and complete, because rates need all seeds of the range.
fn reject_missing_shards(parts: &[Part]) -> Result<(), Failure> {
    let of = parts[0].shard().of;
    let mut problems = Vec::new();
    for number in 1..=of {
        let shard = Shard { number, of };
        let found: Vec<&Part> = parts.iter().filter(|part| part.shard() == shard).collect();
        match found.as_slice() {
            [] => problems.push(format!("shard {shard} is missing")),
            [part] if part.manifest.duration_s.is_none() => {
                problems.push(format!("shard {shard} in {} was interrupted", part.name()));
            }
            [_] => {}
            several => {
                let names: Vec<String> = several.iter().map(|part| part.name()).collect();
                problems.push(format!("shard {shard} is given more than once: {}", names.join(", ")));
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let again = format!("run the missing shards: `{} --shard i/{of} --out DIR`", whole_command(&parts[0].manifest));
    Err(Failure::usage(problems.join("\n       "), again))
}

fn whole_command(manifest: &Manifest) -> String {
    manifest.shard.map_or(manifest.command.clone(), |shard| manifest.command.replace(&format!(" --shard {shard}"), ""))
}

fn merged(parts: &[Part]) -> Manifest {
    let mut manifest = parts[0].manifest.clone();
    manifest.command = whole_command(&manifest);
    manifest.shard = None;
    manifest.started = parts.iter().map(|part| part.manifest.started.clone()).min().unwrap_or_default();
    manifest.duration_s = Some(parts.iter().filter_map(|part| part.manifest.duration_s).sum());
    manifest
}

/// Merges the rows of all shards into one file, cell by cell and seed by seed.
fn join(parts: &[Part], out: &Directory) -> Result<Vec<(CellHeader, CellResult)>, Failure> {
    let mut shards = parts.iter().map(Rows::new).collect::<Result<Vec<_>, _>>()?;
    let mut writer = ResultsWriter::new(BufWriter::new(out.write_results(0)?));
    let mut cells = Vec::new();
    while let Some(header) = next_header(&mut shards, parts)? {
        writer.cell(&header).map_err(|error| unwritten(&error))?;
        let mut result = CellResult::default();
        // Seeds were dealt to the shards in turn, so they are read in turn until one shard has no more.
        for turn in (0..shards.len()).cycle() {
            let Some(Row::Case { seed, result: case }) = shards[turn].next_case()? else { break };
            writer.case(seed, &case).map_err(|error| unwritten(&error))?;
            result.add(seed, &case);
        }
        for shard in &mut shards {
            while let Some(Row::Decisive { seed, changed }) = shard.next_decisive()? {
                result.decide(seed, changed);
            }
        }
        write_samples(&mut writer, &result).map_err(|error| unwritten(&error))?;
        cells.push((header, result));
    }
    writer.flush().map_err(|error| unwritten(&error))?;
    Ok(cells)
}

/// The rows of a shard, with a lookahead of one.
struct Rows {
    reader: ResultsReader<BufReader<File>>,
    next: Option<Row>,
}

impl Rows {
    fn new(part: &Part) -> Result<Self, Failure> {
        let mut rows = Rows { reader: part.directory.read_results()?, next: None };
        rows.advance()?;
        Ok(rows)
    }

    fn advance(&mut self) -> Result<Option<Row>, Failure> {
        let next = self.reader.next().transpose().map_err(|error| damaged(&error))?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn next_case(&mut self) -> Result<Option<Row>, Failure> {
        if matches!(self.next, Some(Row::Case { .. })) { self.advance() } else { Ok(None) }
    }

    fn next_decisive(&mut self) -> Result<Option<Row>, Failure> {
        if matches!(self.next, Some(Row::Decisive { .. })) { self.advance() } else { Ok(None) }
    }
}

/// Writes the ablations that a run without shards would contain.
fn write_samples(writer: &mut ResultsWriter<impl std::io::Write>, result: &CellResult) -> Result<(), ResultsError> {
    for sample in result.samples() {
        if let Some(changed) = &sample.changed {
            writer.decisive(sample.seed, changed)?;
        }
    }
    Ok(())
}

/// Returns the header of the next cell, which must be the same in all shards.
fn next_header(shards: &mut [Rows], parts: &[Part]) -> Result<Option<CellHeader>, Failure> {
    let mut headers = Vec::new();
    for shard in shards {
        headers.push(shard.advance()?);
    }
    let different = headers.iter().position(|header| *header != headers[0]);
    match (different, headers.swap_remove(0)) {
        (None, None) => Ok(None),
        (None, Some(Row::Cell(header))) => Ok(Some(*header)),
        (different, _) => {
            let part = parts[different.unwrap_or(0)].name();
            let message = format!("results.jsonl in {part} does not match the cells and seeds of its run.json");
            Err(Failure::usage(message, "run this shard again"))
        }
    }
}
